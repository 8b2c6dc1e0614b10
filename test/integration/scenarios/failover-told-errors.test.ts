/** Errors that hosts tell under status 200 or inside of a stream, about the request itself: as if they had been refusals. */
import { describe, expect, test } from 'vitest'
import { type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../../kit/http-bytes.ts'
import { expectNotEjected, firstOfEquals, says } from './first-host.ts'
import { chatBytes, contentFrame, errorOf, model, scenario } from './scene.ts'

const tooLong = {
  message: "This model's maximum context length is 4096 tokens.",
  type: 'invalid_request_error',
  param: 'messages',
  code: 'context_length_exceeded',
}
const roleFrame = contentFrame('').replace('"content"', '"role":"assistant","content"')

const errors: readonly [string, object, string][] = [
  ['type and code', tooLong, 'context_length_exceeded'],
  ['the code alone', { ...tooLong, type: 'error', message: 'Too long.' }, 'context_length_exceeded'],
  ['the type alone', { message: 'No such tool.', type: 'invalid_request_error' }, 'invalid_request'],
]

const inStream = (...frames: readonly string[]): readonly ScriptStep[] => [
  wholeRequest,
  sseHeadBytes(),
  ...frames.map((frame) => chunkBytes(frame)),
  finalChunk,
]
const ways: readonly [string, boolean, (error: object) => readonly ScriptStep[]][] = [
  ['in a stream', true, (error) => inStream(roleFrame, `data: ${JSON.stringify({ error })}\n\n`)],
  ['as JSON to a stream', true, (error) => says(200, { error })],
  ['under status 200', false, (error) => says(200, { error })],
]

describe.each(ways)('%s', (_way, stream, tells) => {
  test.each(errors)('%s: 400, no other host is asked, and nobody is ejected', (_what, error, code) => {
    firstOfEquals()
    return scenario({ hosts: { a: [model], b: [model] } }, async (scene) => {
      scene.host('a').playAlways(...tells(error))
      for (let i = 0; i < 6; i++) {
        const answer = await scene.ask(chatBytes({ stream }))
        expect([answer.status, errorOf(answer).code]).toEqual([400, code])
        expect(answer.header('x-should-retry')).toBe('false')
      }
      await expectNotEjected(scene)
      return { requests: 6, attempts: { a: 6 } }
    })
  })
})

test('behind content it is an error frame with the same code', () =>
  scenario({}, async (scene) => {
    const frames = [contentFrame('once'), `data: ${JSON.stringify({ error: tooLong })}\n\n`]
    scene.host().play(...inStream(...frames))
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect([answer.status, answer.cut, errorOf(answer).code]).toEqual([200, true, 'context_length_exceeded'])
    return { requests: 1, attempts: { a: 1 } }
  }))
