/** Names and the hosts behind them: aliases in their three forms, keys per host, and what is said of a name that nobody serves. */

import { describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, oneHost, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

/** Fast enough for a test to wait for, and one failure is enough. */
const watchful = { everyMs: 100, fall: 1 }

const modelsAsked = (double: LmxDouble) => double.inferenceRequests.map(({ json }) => (json as { model: string }).model)

async function hostOfAnswer(gateway: GatewayUnderTest, name: string): Promise<string | null> {
  const answer = clientOf(gateway).chat.completions.create({ ...ask('Hello', 1), model: name }, { maxRetries: 0 })
  return (await answer.withResponse()).response.headers.get('x-lmx-gateway-host')
}

async function refusal(gateway: GatewayUnderTest, name: string): Promise<unknown> {
  const answer = clientOf(gateway).chat.completions.create({ ...ask('Hello', 1), model: name }, { maxRetries: 0 })
  try {
    await answer
  } catch (error) {
    return error
  }
  throw new Error(`${name} was served`)
}

describe('aliases', () => {
  test('of one name: the name alone is replaced, and the metrics speak of the alias', async () => {
    const { gateway, double } = await oneHost({}, { models: { aliases: { fast: model } } })
    const body = '{ "model" : "fast",\n "messages":[{"role":"user","content":"fast"}], "max_tokens": 2 }'
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body })
    expect(await response.json()).toMatchObject({ model, choices: [{ message: { content: 'w0 w1 ' } }] })
    expect(response.headers.get('x-lmx-gateway-model')).toBe(model)
    expect(double.inferenceRequests[0]!.body.toString()).toBe(body.replace('"fast"', `"${model}"`))
    expect(await gateway.sum('requests_total', { model: 'fast', status: '200' })).toBe(1)
    expect(await gateway.sum('tokens_total', { model: 'fast', type: 'output' })).toBe(2)
  })

  test('of a name per host: each host gets its own, and hosts that are not named get nothing', async () => {
    const clock = new FakeClock()
    const cost = { ttftMs: 100 }
    const left = await startDouble({ models: ['org/big'], clock, cost })
    const right = await startDouble({ models: ['mlx/big-4bit'], clock, cost })
    const other = await startDouble({ models: ['org/big'], clock, cost })
    const gateway = await gatewayBefore(
      [
        { name: 'left', url: left.url },
        { name: 'right', url: right.url },
        { name: 'other', url: other.url },
      ],
      { models: { aliases: { big: { left: 'org/big', right: 'mlx/big-4bit' } } } },
    )
    const answers = [1, 2, 3, 4].map(() => hostOfAnswer(gateway, 'big'))
    for (const double of [left, right]) await double.waitFor(({ running }) => running === 2, 'two requests')
    await clock.advance(100)
    const names = await within(5_000, 'four answers', Promise.all(answers))
    expect(names.filter((name) => name === 'left')).toHaveLength(2)
    expect(names.filter((name) => name === 'right')).toHaveLength(2)
    expect(modelsAsked(left)).toEqual(['org/big', 'org/big'])
    expect(modelsAsked(right)).toEqual(['mlx/big-4bit', 'mlx/big-4bit'])
    expect(other.inferenceRequests).toEqual([])
  })

  test('of an ordered list: the next name is for when no host of the first is up, not for when it is busy', async () => {
    const clock = new FakeClock()
    const big = await startDouble({ models: ['org/big'], clock, cost: { ttftMs: 100 } })
    const small = await startDouble({ models: ['org/small'] })
    const gateway = await gatewayBefore(
      [
        { name: 'big', url: big.url, slots: 1 },
        { name: 'small', url: small.url },
      ],
      { models: { aliases: { best: ['org/big', 'org/small'] } }, probe: watchful },
    )
    const first = hostOfAnswer(gateway, 'best')
    await big.waitFor(({ running }) => running === 1, 'the first request')
    const second = hostOfAnswer(gateway, 'best')
    await gaugeReaches(gateway, 'queue_depth', 1, { model: 'best' })
    await clock.advance(100)
    expect(await within(5_000, 'the first answer', first)).toBe('big')
    await big.waitFor(({ running }) => running === 1, 'the second request')
    await clock.advance(100)
    expect(await within(5_000, 'the second answer', second)).toBe('big')
    expect(small.inferenceRequests).toEqual([])

    await big.sigterm()
    await gaugeReaches(gateway, 'host_up', 0, { host: 'big' })
    expect(await hostOfAnswer(gateway, 'best')).toBe('small')
    expect(modelsAsked(small)).toEqual(['org/small'])

    await big.openListener()
    await gaugeReaches(gateway, 'host_up', 1, { host: 'big' })
    const third = hostOfAnswer(gateway, 'best')
    await big.waitFor(({ running }) => running === 1, 'the third request')
    await clock.advance(100)
    expect(await within(5_000, 'the third answer', third)).toBe('big')
  })
})

describe('keys', () => {
  test('each host is sent its own key, and never the one of the client', async () => {
    const left = await startDouble({ models: ['org/left'], requireKey: 'key-of-left' })
    const right = await startDouble({ models: ['org/right'], requireKey: 'key-of-right' })
    const open = await startDouble({ models: ['org/open'] })
    const gateway = await gatewayBefore([
      { url: left.url, apiKey: 'key-of-left' },
      { url: right.url, apiKey: 'key-of-right' },
      { url: open.url },
    ])
    const client = clientOf(gateway, { apiKey: 'client-secret', defaultHeaders: { 'x-api-key': 'client-secret' } })
    for (const name of ['org/left', 'org/right', 'org/open']) {
      const answer = await client.chat.completions.create({ ...ask('Hello', 1), model: name })
      expect(answer.model).toBe(name)
    }
    const keysSeen = (double: LmxDouble) => [...new Set(double.requests.map(({ headers }) => headers.authorization))]
    expect(keysSeen(left)).toEqual(['Bearer key-of-left'])
    expect(keysSeen(right)).toEqual(['Bearer key-of-right'])
    expect(keysSeen(open)).toEqual([undefined])
    const everything = [left, right, open].flatMap(({ requests }) => requests.map(({ rawHeaders }) => rawHeaders))
    expect(JSON.stringify(everything)).not.toContain('client-secret')
    expect(JSON.stringify(gateway.log)).not.toMatch(/key-of|client-secret/)
  })

  test("what would steer the host stays at the gateway's door", async () => {
    const { gateway, double } = await oneHost()
    const steering = {
      'x-priority': 'high',
      'x-serving-lane': 'interactive',
      'x-client-id': 'somebody',
      cookie: 'session=1',
      'x-forwarded-for': '10.0.0.1',
      'x-fake-fault': '{"internalError":true}',
    }
    await clientOf(gateway, { defaultHeaders: steering }).chat.completions.create(ask('Hello', 1))
    const { headers } = double.inferenceRequests[0]!
    expect(Object.keys(headers).toSorted()).toEqual([
      'accept',
      'accept-encoding',
      'connection',
      'content-length',
      'content-type',
      'host',
      'user-agent',
      'x-request-id',
    ])
  })

  test('a wrong key takes the host out, and the client does not learn why', async () => {
    const double = await startDouble({ requireKey: 'right' })
    const gateway = await gatewayBefore([{ url: double.url, apiKey: 'wrong' }])
    expect(await refusal(gateway, model)).toMatchObject({ status: 503, code: 'no_upstream_available' })
    expect(double.inferenceRequests).toEqual([])
  })
})

describe('a name that cannot be served', () => {
  test('is 503 while a host was never reached, since that one may have it', async () => {
    const up = await startDouble({ models: ['org/up'] })
    const never = await startDouble({ models: ['org/never'] })
    await never.stop()
    const gateway = await gatewayBefore([{ url: up.url }, { name: 'never', url: never.url }], { probe: watchful })
    expect(await refusal(gateway, 'org/never')).toMatchObject({ status: 503, code: 'no_upstream_available' })
    expect(await refusal(gateway, 'org/nowhere')).toMatchObject({ status: 503, code: 'no_upstream_available' })

    await never.openListener()
    await gaugeReaches(gateway, 'host_up', 1, { host: 'never' })
    expect(await hostOfAnswer(gateway, 'org/never')).toBe('never')
    expect(await refusal(gateway, 'org/nowhere')).toMatchObject({ status: 404, code: 'model_not_found' })
  })

  test('is 503 when its host went down, 404 when no host ever had it, and served again when the host is back', async () => {
    const up = await startDouble({ models: ['org/up'] })
    const gone = await startDouble({ models: ['org/gone'] })
    const gateway = await gatewayBefore([{ url: up.url }, { name: 'gone', url: gone.url }], { probe: watchful })
    expect(await hostOfAnswer(gateway, 'org/gone')).toBe('gone')
    await gone.sigterm()
    await gaugeReaches(gateway, 'host_up', 0, { host: 'gone' })
    expect(await refusal(gateway, 'org/gone')).toMatchObject({ status: 503, code: 'no_upstream_available' })
    const unknown = (await refusal(gateway, 'org/nowhere')) as Error
    expect(unknown).toMatchObject({ status: 404, code: 'model_not_found' })
    expect(unknown.message).toContain('org/up')
    expect(unknown.message).not.toContain('org/gone')
    expect((await clientOf(gateway).models.list()).data.map(({ id }) => id)).toEqual(['org/up'])

    await gone.openListener()
    await gaugeReaches(gateway, 'host_up', 1, { host: 'gone' })
    expect(await hostOfAnswer(gateway, 'org/gone')).toBe('gone')
    expect((await clientOf(gateway).models.list()).data.map(({ id }) => id)).toEqual(['org/gone', 'org/up'])
  })

  test('is 503 while its host sheds load', async () => {
    const { gateway, double } = await oneHost({}, { probe: watchful })
    expect(await hostOfAnswer(gateway, model)).toBe('studio')
    const probesBefore = double.requests.length
    double.faults.set({ shedding: true })
    await double.waitFor(({ requests }) => requests.length >= probesBefore + 4, 'two more probes')
    expect(await refusal(gateway, model)).toMatchObject({ status: 503, code: 'no_upstream_available' })
    expect(double.inferenceRequests).toHaveLength(1)
    expect(await gateway.metric('host_up', { host: 'studio' })).toBe(1)
  })

  test('is 404 once its host has unloaded it', async () => {
    const { gateway, double } = await oneHost({ models: ['org/stays', 'org/goes'] }, { probe: watchful })
    double.models.unload('org/goes')
    await gaugeReaches(gateway, 'host_models', 1, { host: 'studio' })
    expect(await refusal(gateway, 'org/goes')).toMatchObject({ status: 404, code: 'model_not_found' })
    expect(await hostOfAnswer(gateway, 'org/stays')).toBe('studio')
  })

  test('is 404 with a word of its own when it is an alias for nothing', async () => {
    const { gateway } = await oneHost({}, { models: { aliases: { lost: 'org/lost' } } })
    const error = (await refusal(gateway, 'lost')) as Error
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
    expect(error.message).toContain('alias "lost"')
  })

  test.each([['copilot/gpt-4o'], ['github-copilot/gpt-4o'], ['gemini-cli/pro'], ['preset:coder'], ['Copilot/GPT-4o']])(
    '%s is refused, whatever a host lists, and no host is asked',
    async (name) => {
      const { gateway, double } = await oneHost({ models: [name, model] })
      expect(await refusal(gateway, name)).toMatchObject({ status: 403, code: 'model_not_allowed', param: 'model' })
      expect(double.inferenceRequests).toEqual([])
    },
  )

  test('a name that leaves the local network is served by the host for which it is configured', async () => {
    const name = 'copilot/gpt-4o'
    const { gateway, double } = await oneHost({ models: [name] }, { host: { models: [name] } })
    expect(await hostOfAnswer(gateway, name)).toBe('studio')
    expect(modelsAsked(double)).toEqual([name])
  })
})
