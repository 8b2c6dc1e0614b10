/** Prompts and the contexts of hosts, over real sockets: none is trimmed without a word. */
import { describe, expect, test } from 'vitest'
import { ask, clientOf, gatewayBefore, type HostInput, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'

const adminKey = 'admin-key-of-a-test'
/** Some tokens of text that LMX counts as so many. */
const textOf = (tokens: number): string => 'word'.repeat(tokens)

async function doubleWith(contextLength: number | null): Promise<LmxDouble> {
  return startDouble({ contextLength, requireAdminKey: adminKey, requireKey: 'inference-key-of-a-test' })
}

const hostAt = (name: string, double: LmxDouble, more: Partial<HostInput> = {}): HostInput => ({
  name,
  url: double.url,
  apiKey: 'inference-key-of-a-test',
  ...more,
})

interface Told {
  readonly status: number
  readonly host: string | null
  readonly body: {
    readonly error?: {
      readonly code?: string
      readonly message: string
      readonly type: string
      readonly param?: string
    }
  }
}

async function post(gateway: GatewayUnderTest, body: object, path = '/chat/completions'): Promise<Told> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(gateway.baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
  const { status } = response
  return { status, host: response.headers.get('x-lmx-gateway-host'), body: (await response.json()) as Told['body'] }
}

describe('a host that tells its context to who has its admin key', () => {
  test('gets no prompt that it would trim: 400 with both numbers, and it never sees it', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    expect((await post(gateway, ask(textOf(2_000), 8))).status).toBe(200)
    expect(gateway.log.filter(({ message }) => message.includes('does not tell'))).toEqual([])
    const { status, body } = await post(gateway, ask(textOf(4_200), 8))
    expect([status, body.error?.code, body.error?.param]).toEqual([400, 'context_length_exceeded', 'messages'])
    expect(body.error?.message).toMatch(
      /maximum context length is 4096 tokens.*you requested 42\d\d tokens .*8 in the completion/,
    )
    expect(double.inferenceRequests).toHaveLength(1)
    expect(gateway.outcomes().map(({ fields }) => fields['error'] ?? null)).toEqual([null, 'context_length_exceeded'])
  })

  test('sets room for the answer aside, which counts too', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    const told = await post(gateway, ask(textOf(1_000), 3_500))
    expect([told.status, told.body.error?.code]).toEqual([400, 'context_length_exceeded'])
    expect((await post(gateway, ask(textOf(1_000), 2_500))).status).toBe(200)
  })

  test.each(['99999999999999999999', '1e308', '"3500"', `3500.${'0'.repeat(40)}`])(
    'sets aside what it reads as a number of tokens, however it is written: %s',
    async (bound) => {
      const double = await doubleWith(4_096)
      const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
      const answer = await fetch(`${gateway.baseUrl}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(ask(textOf(1_000), 7)).replace('"max_tokens":7', `"max_tokens":${bound}`),
      })
      const told = (await answer.json()) as Told['body']
      expect([answer.status, told.error?.code]).toEqual([400, 'context_length_exceeded'])
      expect(double.inferenceRequests).toEqual([])
    },
  )

  test('counts the characters of the prompt: no others of the body, and each once however it is written', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    const escaped = JSON.stringify(ask('Я'.repeat(3_300), 200)).replaceAll('Я', '\\u042f')
    const bodies = [JSON.stringify({ ...ask('Hello', 8), metadata: { z: 'y'.repeat(40_000) } }), escaped]
    for (const body of bodies) {
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body })
      expect([answer.status, (await answer.text()).includes('error')]).toEqual([200, false])
    }
    expect((await post(gateway, ask('Я'.repeat(17_000), 8))).status).toBe(400)
  })

  test('is sent its admin key on paths below /admin alone', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    await post(gateway, ask('Hello', 1))
    const withKey = double.requests
      .filter(({ headers }) => headers['x-admin-key'] !== undefined)
      .map(({ path }) => path)
    expect(new Set(withKey)).toEqual(new Set(['/admin/models', '/admin/metrics']))
    expect(JSON.stringify(gateway.log)).not.toContain(adminKey)
  })

  test('that refuses the admin key is up all the same, and nothing is known of its context', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey: 'wrong' })])
    expect((await post(gateway, ask(textOf(9_000), 8))).status).toBe(200)
    const told = gateway.log.filter(({ message }) => message.includes('does not tell how long they may be'))
    expect(told.map(({ level, fields }) => [level, fields])).toEqual([['info', { host: 'studio', models: 1 }]])
    expect((await clientOf(gateway).models.list()).data).toEqual([
      expect.not.objectContaining({ context_length: 4_096 }),
    ])
  })
})

describe('two hosts', () => {
  const pair = async (): Promise<{ gateway: GatewayUnderTest; small: LmxDouble; large: LmxDouble }> => {
    const [small, large] = [await doubleWith(4_096), await doubleWith(null)]
    const gateway = await gatewayBefore([
      hostAt('small', small, { adminKey }),
      hostAt('large', large, { contextTokensMax: { [model]: 32_000 } }),
    ])
    return { gateway, small, large }
  }

  test('a long prompt goes to the one with room, time and again', async () => {
    const { gateway, small } = await pair()
    const told = await Promise.all(Array.from({ length: 6 }, () => post(gateway, ask(textOf(5_000), 8))))
    expect(new Set(told.map(({ host }) => host))).toEqual(new Set(['large']))
    expect(small.inferenceRequests).toEqual([])
  })

  test('where that one fails it goes to no other: a failure is told, not a prompt trimmed', async () => {
    const { gateway, small, large } = await pair()
    large.crash()
    const { status, body } = await post(gateway, ask(textOf(5_000), 8))
    expect([status, body.error?.code]).not.toEqual([200, undefined])
    expect(small.inferenceRequests).toEqual([])
  })

  test('GET /v1/models tells the longest, the admin API each', async () => {
    const { gateway } = await pair()
    const { data } = await clientOf(gateway).models.list()
    expect(data).toEqual([expect.objectContaining({ id: model, context_length: 32_000, max_model_len: 32_000 })])
    expect(await gateway.admin('GET', '/admin/models')).toMatchObject({
      models: [
        {
          places: [
            { host: 'small', contextTokens: 4_096 },
            { host: 'large', contextTokens: 32_000 },
          ],
        },
      ],
    })
  })
})

describe('what the client says itself', () => {
  test('num_ctx shorter than the prompt: refused, since LMX would trim to it', async () => {
    const double = await doubleWith(32_000)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    const { status, body } = await post(gateway, { ...ask(textOf(3_000), 8), num_ctx: 2_048 })
    expect([status, body.error?.code, body.error?.param]).toEqual([400, 'context_length_exceeded', 'num_ctx'])
    expect((await post(gateway, { ...ask(textOf(3_000), 8), num_ctx: 8_192 })).status).toBe(200)
    expect(double.inferenceRequests).toHaveLength(1)
  })

  test('on /v1/messages the refusal has the envelope and the words of Anthropic', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    const long = { model, max_tokens: 8, messages: [{ role: 'user', content: textOf(5_000) }] }
    const { status, body } = await post(gateway, long, '/messages')
    expect([status, body]).toMatchObject([400, { type: 'error', error: { type: 'invalid_request_error' } }])
    expect(body.error?.message).toMatch(/^prompt is too long: \d+ tokens > 4096 maximum/)
    const wide = { ...long, max_tokens: 4_000, messages: [{ role: 'user', content: textOf(1_000) }] }
    const refused = await post(gateway, wide, '/messages')
    expect(refused.body.error?.message).toMatch(
      /^input length and `max_tokens` exceed context limit: \d+ \+ 4000 > 4096,/,
    )
  })

  test('a stream that does not fit is refused before it begins', async () => {
    const double = await doubleWith(4_096)
    const gateway = await gatewayBefore([hostAt('studio', double, { adminKey })])
    const answer = clientOf(gateway).chat.completions.create({ ...ask(textOf(5_000)), stream: true }, { maxRetries: 0 })
    await expect(answer).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' })
  })
})

test('what embeddings are made of is many texts, and is left to the host', async () => {
  const double = await startDouble({ embeddingModel: model, contextLength: 512 })
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url, contextTokensMax: 512 }])
  const input = Array.from({ length: 50 }, () => textOf(100))
  expect((await post(gateway, { model, input }, '/embeddings')).status).toBe(200)
})
