/** What a capture cannot show of an LMX host: slots, waiting, leaving clients, shedding, shutdown, events. */
import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import type { LmxDoubleOptions } from '../kit/lmx-double/options.ts'
import { bodyOf, RawExchange, rawAnswer } from '../kit/lmx-double/raw-exchange.ts'
import { within } from '../kit/within.ts'

const model = 'org/stub-a'
const chat = '/v1/chat/completions'
const opened: { stop: () => unknown }[] = []

afterEach(async () => {
  for (const thing of opened.splice(0).toReversed()) await thing.stop()
})

async function start(options: LmxDoubleOptions = {}): Promise<LmxDouble> {
  const double = await startLmxDouble({ models: [model], ...options })
  opened.push(double)
  return double
}

function exchange(double: LmxDouble): RawExchange {
  const made = new RawExchange(double.port)
  opened.push({ stop: () => made.drop() })
  return made
}

const body = (more: object = {}) => ({ model, messages: [{ role: 'user', content: 'Describe gateways' }], ...more })
const streamBody = (more: object = {}) => body({ stream: true, ...more })

/** Sends a stream that stays silent after its role frame, and waits until it has its slot. */
async function held(double: LmxDouble, headers: Record<string, string> = {}): Promise<RawExchange> {
  const before = double.running
  double.faults.next({ stallBeforeContent: true })
  const made = exchange(double).send({ path: chat, headers, body: streamBody() })
  await double.waitFor(({ running }) => running === before + 1, 'a held slot')
  return made
}

/** Lets a stream wait behind the held ones. */
async function waiting(double: LmxDouble, name: string): Promise<RawExchange> {
  const before = double.waiting
  const made = exchange(double).send({ path: chat, headers: { 'x-client-id': name }, body: streamBody() })
  await double.waitFor((now) => now.waiting === before + 1, `${name} waiting`)
  return made
}

describe('slots', () => {
  test('a stream gets its role chunk before it has a slot, and content after', async () => {
    const double = await start({ slots: 1 })
    const first = await held(double)
    const second = await waiting(double, 'second')
    const early = await second.until((text) => text.includes('"role": "assistant"'), 'the role chunk')
    expect(early).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(early).not.toContain('w0 ')
    first.drop()
    expect(await second.answer()).toContain('w0 ')
  })

  test('waiters are served in the order of their coming', async () => {
    const double = await start({ slots: 1, cost: { decodeTokensPerSecond: 2_000 } })
    const first = await held(double)
    const answers: Promise<string>[] = []
    for (const name of ['a', 'b', 'c']) answers.push((await waiting(double, name)).answer())
    first.drop()
    await Promise.all(answers)
    const served = double.inferenceRequests
      .filter((entry) => entry.firstTokenMs !== null)
      .toSorted((a, b) => a.firstTokenMs! - b.firstTokenMs!)
    expect(served.map((entry) => entry.headers['x-client-id'])).toEqual(['a', 'b', 'c'])
    expect(double.runningMax).toBe(1)
    expect(double.arrivedConcurrentMax).toBe(4)
  })

  test('the wait ends at its limit and not a millisecond before', async () => {
    const clock = new FakeClock()
    const double = await start({ slots: 1, slotWaitMs: 30_000, clock })
    await held(double)
    const whole = exchange(double).send({ path: chat, body: body() })
    await double.waitFor((now) => now.waiting === 1, 'the whole answer waiting')
    await clock.advance(29_999)
    expect(double.waiting).toBe(1)
    expect(whole.text).toBe('')
    await clock.advance(1)
    expect(await whole.answer()).toMatch(/^HTTP\/1\.1 429 .*\r\nretry-after: 5\r\n/s)
  })

  test('a dropped stream frees its slot, while it waits and while it runs', async () => {
    const double = await start({ slots: 1 })
    const first = await held(double)
    const second = await waiting(double, 'second')
    second.drop()
    await double.waitFor((now) => now.waiting === 0, 'the waiter gone')
    first.drop()
    await double.waitFor((now) => now.running === 0, 'the slot free')
    expect(double.inferenceRequests.map((entry) => entry.endedBy)).toEqual(['client_closed', 'client_closed'])
  })

  test('a dropped whole answer keeps its slot to the end', async () => {
    const clock = new FakeClock()
    const double = await start({ slots: 1, cost: { ttftMs: 1_000 }, clock })
    const whole = exchange(double).send({ path: chat, body: body() })
    await double.waitFor((now) => now.running === 1, 'the slot taken')
    whole.drop()
    await double.waitFor((now) => now.requests[0]?.clientClosedMs !== null, 'the client seen leaving')
    expect(double.running).toBe(1)
    expect(double.requests[0]?.endedBy).toBeNull()
    await clock.advance(1_000)
    await double.waitFor((now) => now.running === 0, 'the slot free')
    await double.waitFor((now) => now.requests[0]?.endedBy === 'client_closed', 'the entry closed')
    expect(double.requests[0]?.tokens).toBe(16)
  })

  test.each([
    [{ 'x-priority': 'high' }, 2, 0],
    [{ 'x-serving-lane': 'interactive' }, 2, 0],
    [{ 'x-priority': 'low' }, 1, 1],
    [{ 'x-priority': 'high', 'x-serving-lane': 'throughput' }, 1, 1],
  ])('%j beside a full host: %i run, %i wait', async (headers, running, queued) => {
    const double = await start({ slots: 1 })
    await held(double)
    double.faults.next({ stallBeforeContent: true })
    exchange(double).send({ path: chat, headers, body: streamBody() })
    await double.waitFor((now) => now.running + now.waiting === 2, 'the second request arrived')
    expect([double.running, double.waiting]).toEqual([running, queued])
  })

  test('the effective limit is below the advertised one, changes only when idle, and no page tells it', async () => {
    const double = await start({ slots: 4, effectiveSlots: 2 })
    const first = await held(double)
    const second = await held(double)
    const third = await waiting(double, 'third')
    double.setEffectiveSlots(3)
    expect([double.running, double.waiting]).toEqual([2, 1])
    expect(await rawAnswer(double.port, { path: '/admin/status' })).toContain('"max_concurrent_requests":4')
    expect(await rawAnswer(double.port, { path: '/admin/metrics' })).toContain('\nlmx_concurrent_limit 4\n')
    for (const stream of [first, second, third]) stream.drop()
    await double.waitFor((now) => now.running + now.waiting === 0, 'nothing in flight')
    for (let i = 0; i < 3; i += 1) await held(double)
    expect(double.running).toBe(3)
    await waiting(double, 'fourth')
  })
})

describe('usage', () => {
  test('streams count chunks and characters, whole answers count words', async () => {
    const reply = () => ['one two ', 'three']
    const double = await start({ reply, slots: 1 })
    const streamed = await rawAnswer(double.port, {
      path: chat,
      body: streamBody({ stream_options: { include_usage: true } }),
    })
    expect(streamed).toContain('"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6}')
    const whole = await rawAnswer(double.port, { path: chat, body: body({ n: 2 }) })
    expect(whole).toContain('"usage":{"prompt_tokens":8,"completion_tokens":6,"total_tokens":14}')
    expect([double.promptTokens, double.tokensProduced]).toEqual([12, 8])
  })

  test('several tokens in a chunk count as one in streams', async () => {
    const double = await start({ cost: { tokensPerChunk: 4 } })
    const streamed = await rawAnswer(double.port, {
      path: chat,
      body: streamBody({ max_tokens: 6, stream_options: { include_usage: true } }),
    })
    expect(streamed).toContain('"content": "w0 w1 w2 w3 "')
    expect(streamed).toContain('"completion_tokens":2')
  })

  test('a cut answer says length when whole, stop when streamed, length when streamed with n > 1', async () => {
    const double = await start()
    const reason = async (more: object) => {
      const answer = await rawAnswer(double.port, { path: chat, body: body({ max_tokens: 2, ...more }) })
      return /"finish_reason": ?"(\w+)"/.exec(answer)?.[1]
    }
    expect(await reason({})).toBe('length')
    expect(await reason({ stream: true })).toBe('stop')
    expect(await reason({ stream: true, n: 2 })).toBe('length')
  })
})

describe('envelopes and names', () => {
  test('an inference key is asked for, and either header or the admin key will do', async () => {
    const double = await start({ requireKey: 'k', requireAdminKey: 'a' })
    const status = async (path: string, headers: Record<string, string>) =>
      (await rawAnswer(double.port, { path, headers })).slice(9, 12)
    expect(await rawAnswer(double.port, { path: '/v1/models' })).toMatch(
      /^HTTP\/1\.1 401 .*\{"detail":"Invalid or missing API key"\}$/s,
    )
    expect(await status('/v1/models', { authorization: 'Bearer k' })).toBe('200')
    expect(await status('/v1/models', { 'x-api-key': 'k' })).toBe('200')
    expect(await status('/v1/models', { 'x-admin-key': 'a' })).toBe('200')
    expect(await status('/admin/status', { authorization: 'Bearer a' })).toBe('403')
    expect(await status('/admin/status', { 'x-admin-key': 'a' })).toBe('200')
    expect(await status('/v1/discovery', {})).toBe('200')
  })

  test('bad JSON comes before the key, the key before validation', async () => {
    const double = await start({ requireKey: 'k' })
    expect(await rawAnswer(double.port, { path: chat, body: '{' })).toMatch(/^HTTP\/1\.1 422 /)
    expect(await rawAnswer(double.port, { path: chat, body: {} })).toMatch(/^HTTP\/1\.1 401 /)
  })

  test('wrong methods, slashes and unknown paths', async () => {
    const double = await start()
    const wrong = await rawAnswer(double.port, { method: 'PUT', path: '/healthz' })
    expect(wrong).toMatch(/^HTTP\/1\.1 405 Method Not Allowed\r\n.*\{"detail":"Method Not Allowed"\}$/s)
    expect(await rawAnswer(double.port, { path: '/v1/models/' })).toMatch(
      /^HTTP\/1\.1 307 .*\r\nlocation: http:\/\/double\/v1\/models\r\n/s,
    )
    expect(await rawAnswer(double.port, { path: '/v1/models/org%2Fstub-a' })).toMatch(
      /^HTTP\/1\.1 404 .*Not Found"\}$/s,
    )
  })

  test('a request id is echoed, or absent where LMX adds none', async () => {
    const double = await start()
    const headers = { 'x-request-id': 'mine' }
    expect(await rawAnswer(double.port, { path: '/healthz', headers })).toContain('\r\nx-request-id: mine\r\n')
    double.faults.next({ crash: true })
    const crashed = await rawAnswer(double.port, { path: chat, headers, body: body() })
    expect(crashed).toMatch(/^HTTP\/1\.1 500 .*\r\n\r\nInternal Server Error$/s)
    expect(crashed).not.toContain('x-request-id')
    const asked = { ...headers, origin: 'http://page', 'access-control-request-method': 'POST' }
    const preflight = await rawAnswer(double.port, { method: 'OPTIONS', path: chat, headers: asked })
    expect(preflight).toMatch(/^HTTP\/1\.1 200 /)
    expect(preflight).not.toContain('x-request-id')
  })

  test('auto and aliases resolve to what is loaded, and are 404 with nothing loaded', async () => {
    const double = await start({ models: ['org/b', 'org/a'], aliases: { code: ['org/missing', 'org/b'] } })
    const askedFor = (name: string) => rawAnswer(double.port, { path: chat, body: body({ model: name }) })
    expect(await askedFor('auto')).toContain('"model":"org/a"')
    expect(await askedFor('code')).toContain('"model":"org/b"')
    double.models.unload('org/a')
    double.models.unload('org/b')
    expect(await askedFor('auto')).toContain('"code":"model_not_found"')
    expect(await askedFor('code')).toMatch(/^HTTP\/1\.1 404 /)
    expect(bodyOf(await rawAnswer(double.port, { path: '/v1/models' }))).toBe('{"object":"list","data":[]}')
    expect(await rawAnswer(double.port, { path: '/readyz' })).toMatch(/^HTTP\/1\.1 503 /)
  })
})

describe('the state of the host', () => {
  test('shedding spares three paths and running streams', async () => {
    const double = await start({ slots: 1 })
    const running = await held(double)
    double.faults.set({ shedding: true })
    for (const path of ['/healthz', '/readyz', '/admin/health']) {
      expect(await rawAnswer(double.port, { path })).toMatch(/^HTTP\/1\.1 200 /)
    }
    for (const path of ['/v1/models', '/v1/discovery', '/admin/metrics', '/nowhere']) {
      const shed = await rawAnswer(double.port, { path })
      expect(shed).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: 30\r\n.*\r\ntransfer-encoding: chunked\r\n/s)
      expect(bodyOf(shed)).toBe(
        '{"error": {"message": "Server under memory pressure", "type": "server_error", "code": "overloaded"}}',
      )
    }
    expect(running.closed).toBe(false)
    expect(double.running).toBe(1)
  })

  test('/readyz is 200 on a full host', async () => {
    const double = await start({ slots: 1 })
    await held(double)
    await waiting(double, 'second')
    expect(await rawAnswer(double.port, { path: '/readyz' })).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('while it starts, connections are refused, and then the port is the same', async () => {
    const double = await start()
    const { port } = double
    double.closeListener()
    expect(await rawAnswer(port, { path: '/healthz' })).toBe('')
    await double.openListener()
    expect(double.port).toBe(port)
    expect(await rawAnswer(port, { path: '/healthz' })).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('SIGTERM refuses newcomers and lets the running stream finish', async () => {
    const clock = new FakeClock()
    const double = await start({ cost: { ttftMs: 1_000 }, clock })
    const idle = exchange(double).send({ path: '/healthz' })
    await idle.until((text) => text.includes('"ok"'), 'an idle connection')
    const stream = exchange(double).send({ path: chat, body: streamBody({ max_tokens: 2 }) })
    await double.waitFor((now) => now.running === 1, 'the stream running')
    const ended = double.sigterm()
    expect(await rawAnswer(double.port, { path: '/healthz' })).toBe('')
    await idle.until(() => idle.closed, 'the idle connection closed')
    expect(stream.text).not.toContain('w0 ')
    await clock.advance(1_000)
    const whole = await stream.until(() => stream.closed, 'the connection closed after the answer')
    expect(whole).toMatch(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/)
    await within(5_000, 'the double to be gone', ended)
  })

  test('a crash cuts everything and frees every slot', async () => {
    const double = await start({ slots: 1 })
    const stream = await held(double)
    await waiting(double, 'second')
    double.crash()
    await stream.until(() => stream.closed, 'the stream cut')
    expect([double.running, double.waiting]).toEqual([0, 0])
    expect(await rawAnswer(double.port, { path: '/healthz' })).toBe('')
  })

  test('/admin/events holds its headers back until the first event, and beats when it is quiet', async () => {
    const clock = new FakeClock()
    const double = await start({ heartbeatMs: 30_000, clock })
    const events = exchange(double).send({ path: '/admin/events' })
    await double.waitFor((now) => now.requests.length === 1, 'the subscription')
    await clock.advance(29_999)
    expect(events.text).toBe('')
    await clock.advance(1)
    await events.until((text) => text.includes('event: heartbeat\ndata: {"timestamp": '), 'the heartbeat')
    expect(events.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    double.models.load('org/new')
    await events.until((text) => text.includes('event: model_loaded\ndata: {"model_id": "org/new"}\n\n'), 'an event')
    await clock.advance(30_000)
    await events.until((text) => text.split('event: heartbeat').length === 3, 'the second heartbeat')
  })

  test('the metrics tell requests, clients and the line', async () => {
    const double = await start({ slots: 1, answerTokens: 3 })
    await rawAnswer(double.port, { path: chat, headers: { 'x-client-id': 'ann' }, body: streamBody() })
    await rawAnswer(double.port, { path: '/v1/responses', body: { model, input: 'Hello' } })
    await held(double)
    await waiting(double, 'second')
    const text = bodyOf(await rawAnswer(double.port, { path: '/admin/metrics' }))
    for (const line of [
      'lmx_requests_total 1',
      'lmx_prompt_tokens_total 4',
      'lmx_completion_tokens_total 3',
      'lmx_model_tokens_total{model="org/stub-a"} 3',
      'lmx_client_requests_total{client="ann"} 1',
      'lmx_in_flight_requests 1',
      'lmx_queued_requests 1',
    ]) {
      expect(text.split('\n')).toContain(line)
    }
  })
})
