/** Client libraries as they come, with retries of their own: how often a host is asked for one call. */

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import { type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import type { GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import { jsonResponseBytes } from '../../kit/http-bytes.ts'
import { scenario } from '../scenarios/scene.ts'
import { partsOf, type Spoken, text } from './answers.ts'

interface Library {
  readonly name: string
  readonly dialect: Spoken
  readonly call: (gateway: GatewayUnderTest) => Promise<string | null | undefined>
}

const asked = { model: 'm', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 3 }

/** Those that obey `x-should-retry`; two more calls are their default. */
const libraries: readonly Library[] = [
  {
    name: 'openai',
    dialect: 'chat',
    async call({ baseUrl }) {
      const client = new OpenAI({ baseURL: baseUrl, apiKey: 'any' })
      return (await client.chat.completions.create(asked)).choices[0]?.message.content
    },
  },
  {
    name: 'anthropic',
    dialect: 'messages',
    async call({ url }) {
      const client = new Anthropic({ baseURL: url, apiKey: 'any' })
      const [block] = (await client.messages.create(asked)).content
      return block?.type === 'text' ? block.text : null
    },
  },
]

interface Failure {
  readonly how: string
  readonly status: number
  readonly relay: Readonly<Record<string, number>>
  readonly script: readonly ScriptStep[]
}

const permanent: readonly Failure[] = [
  { how: 'an answer takes too long', status: 504, relay: { answerMsMax: 100 }, script: [] },
  {
    how: 'the host refuses the request',
    status: 400,
    relay: {},
    script: [jsonResponseBytes(400, { error: { message: 'No.' } })],
  },
]

describe.each(libraries)('$name', ({ call, dialect }) => {
  test.each(permanent)('C34: $how for good: the host is asked once', ({ status, relay, script }) =>
    scenario({ config: { relay } }, async (scene) => {
      scene.host().playAlways(wholeRequest, ...script)
      const error: unknown = await call(scene.gateway).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ status })
      expect((error as { headers: Headers }).headers.get('x-should-retry')).toBe('false')
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test('C34: the host fails once: the client comes again and has its answer', () =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, jsonResponseBytes(500, { error: { message: 'Not now.' } }))
      scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(partsOf[dialect].whole)))
      expect(await call(scene.gateway)).toBe(text)
      expect(scene.gateway.outcomes().map(({ fields }) => fields['status'])).toEqual([502, 200])
      return { requests: 2, attempts: { a: 2 } }
    }))
})
