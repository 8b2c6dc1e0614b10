/** A host that answers in the other form, JSON for a stream or a stream for JSON: told by its true content type. */

import { describe, expect, test } from 'vitest'
import { finalChunk, jsonResponseBytes } from '../../kit/http-bytes.ts'
import { chatBytes, scenario } from '../scenarios/scene.ts'
import { partsOf, type Spoken } from './answers.ts'
import { streamReaders, wholeReaders } from './readers.ts'
import { readingsOf, sse } from './stage.ts'

const containing = (words: string): unknown => expect.stringContaining(words)
const json = (d: Spoken) => [jsonResponseBytes(200, JSON.parse(partsOf[d].whole))]
const stream = (d: Spoken) => {
  const { opening, content, closing, last } = partsOf[d]
  return [...sse(opening + content + closing + last), finalChunk]
}

describe('U36: a stream was asked for, and JSON answered', () => {
  test('it is relayed as JSON, and counted', () =>
    scenario({}, async (scene) => {
      scene.host().play(...json('chat'))
      const answer = await scene.ask(chatBytes({ stream: true }))
      expect([answer.status, answer.header('content-type')]).toEqual([200, 'application/json'])
      expect(JSON.parse(answer.text)).toEqual(JSON.parse(partsOf.chat.whole))
      expect(await scene.gateway.sum('tokens_total', { type: 'output' })).toBe(2)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('a client sees an error, or an answer without text and without a reason for its end: none sees half of it', async () => {
    const empty = { text: '', finish: null }
    expect(await readingsOf({ readers: streamReaders, script: json })).toEqual({
      'openai, chat, for await': empty,
      'openai, chat, stream helper': containing('without sending any chunks'),
      'openai, completions, for await': empty,
      'openai, responses, for await': { text: '', finish: undefined },
      'openai, responses, stream helper': containing('without sending any events'),
      'anthropic, for await': empty,
      'anthropic, stream helper': containing('without sending any chunks'),
      'ai, text stream and onError': containing('without a finish reason'),
      'ai, stream of parts': containing('without a finish reason'),
      'ai, completions, stream of parts': { text: '', finish: 'other' },
      'langchain, stream': { text: '', finish: undefined },
      'langchain, responses, stream': { text: '', finish: undefined },
    })
  })
})

describe('U36: JSON was asked for, and a stream answered', () => {
  test('it is relayed as a stream, and counted', () =>
    scenario({}, async (scene) => {
      scene.host().play(...stream('chat'))
      const answer = await scene.ask(chatBytes())
      expect(answer.status).toBe(200)
      expect(answer.header('content-type')).toMatch(/^text\/event-stream/)
      const { opening, content, closing, last } = partsOf.chat
      expect(answer.text).toBe(opening + content + closing + last)
      expect(await scene.gateway.sum('tokens_total', { type: 'output' })).toBe(2)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('every client sees an error', async () => {
    const readings = await readingsOf({ readers: wholeReaders, script: stream })
    for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatch(/^error: /)
  })
})
