/** What waits and runs, through the admin API of a real gateway: shown and ended, as the document of the API says. */

import { describe, expect, onTestFinished, test } from 'vitest'
import { ask, gaugeReaches, model } from '../kit/fleet.ts'
import { jsonRequestBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import {
  admin,
  asked,
  changesOf,
  chat,
  codeOf,
  expectSeen,
  firstOnce,
  held,
  queue,
  requests,
  startStream,
} from './admin-line-scene.ts'

describe('shown', () => {
  test('who runs, how far, and who waits, for whom', async () => {
    const { clock, double, gateway, finish } = await held()
    const alice = await gateway.createKey({ name: 'alice', weight: 2 })
    const bob = await gateway.createKey({ name: 'bob', class: 'interactive' })
    const running = await startStream(gateway, double, { key: alice.key, clock })
    const mine = { 'x-request-id': 'of-bob' }
    const waiting = chat(gateway, 'second', { key: bob.key, headers: mine })
    await gaugeReaches(gateway, 'queue_depth', 1)

    const [first, second, ...others] = await requests(gateway)
    expect(others).toEqual([])
    expect(first).toMatchObject({
      key: 'alice',
      keyId: alice.id,
      team: null,
      class: 'default',
      endpoint: 'chat_completions',
      model,
      stream: true,
      phase: 'content',
      host: 'studio',
      attempts: 1,
      clientLeft: false,
    })
    expect(first?.outputTokens).toBeGreaterThan(0)
    expect(first?.promptTokens).toBeGreaterThan(0)
    const waits = { key: 'bob', class: 'interactive', stream: false, phase: 'line', host: null, attempts: 0 }
    expect(second).toMatchObject({ requestId: 'of-bob', outputTokens: 0, ...waits })
    expect(second?.queueWaitMs).toBe(second?.phaseMs)
    const idsOf = async (query: string) => (await requests(gateway, query)).map(({ id }) => id)
    expect(await idsOf('?phase=waiting')).toEqual([second?.id])
    expect(await idsOf('?phase=running')).toEqual([first?.id])
    expect(await idsOf('?phase=content')).toEqual([first?.id])
    expect(await idsOf('?phase=connect')).toEqual([])
    expect(await idsOf('?key=alice')).toEqual([first?.id])
    expect(await idsOf(`?key=${bob.id}`)).toEqual([second?.id])
    expect(await idsOf('?host=studio')).toEqual([first?.id])
    expect(await idsOf(`?model=${encodeURIComponent(model)}`)).toEqual([first?.id, second?.id])
    expect((await admin(gateway, 'GET', '/admin/requests?count=1')).json).toMatchObject({
      requests: [{ id: first?.id }],
      matching: 2,
    })
    expect((await admin(gateway, 'GET', '/admin/requests?phase=gone')).status).toBe(400)

    const line = await queue(gateway)
    expect(line).toMatchObject({
      paused: false,
      order: 'token-fair',
      waiting: 1,
      bounds: { lengthMax: 1_024, lengthMaxPerKey: 256 },
      hosts: [{ name: 'studio', paused: false, up: true, running: 1, slots: 1 }],
      depths: [{ model, class: 'interactive', waiting: 1 }],
      requests: [
        { id: second?.id, requestId: 'of-bob', position: 0, aheadInKey: 0, keysWaiting: 1, excludedHosts: [] },
      ],
      estimates: { waits: 0, withinP90: null, nearP50: null },
    })
    expect(line.tokens).toBe(line.requests[0]?.tokens)
    const [least, most] = line.keys
    expect(least).toMatchObject({ key: 'bob', class: 'interactive', weight: 1, waiting: 1, running: 0, counter: 0 })
    expect(most).toMatchObject({ key: 'alice', class: 'default', weight: 2, waiting: 0, running: 1 })
    expect(most?.counter).toBeGreaterThan(0)

    await finish()
    expect(await running.rest()).toMatch(/data: \[DONE\]\n\n$/)
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the second request')
    await finish()
    expect((await waiting).status).toBe(200)
    expect(await requests(gateway)).toEqual([])
    expect((await queue(gateway)).keys).toEqual([])
  })

  test('of a long line those that came first, no more than asked for; or those of one key', async () => {
    const { double, gateway, finish } = await held()
    const alice = await gateway.createKey({ name: 'alice' })
    const bob = await gateway.createKey({ name: 'bob' })
    const answers = [chat(gateway, 'running', alice)]
    await double.waitFor(({ running }) => running === 1, 'the first request')
    for (let nth = 1; nth <= 5; nth += 1) {
      answers.push(
        chat(gateway, `waiting ${nth}`, { ...(nth < 5 ? alice : bob), headers: { 'x-request-id': `n${nth}` } }),
      )
      await gaugeReaches(gateway, 'queue_depth', nth)
    }
    const listed = async (query: string) =>
      (await queue(gateway, query)).requests.map(({ requestId, aheadInKey }) => [requestId, aheadInKey])
    expect(await listed('?count=2')).toEqual([
      ['n1', 0],
      ['n2', 1],
    ])
    expect(await listed('')).toHaveLength(5)
    expect(await listed('?key=bob&count=1')).toEqual([['n5', 0]])
    expect(await listed(`?key=${bob.id}`)).toEqual([['n5', 0]])
    expect((await admin(gateway, 'GET', '/admin/queue?count=1001')).status).toBe(400)
    for (let ended = 1; ended <= 6; ended += 1) {
      await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === ended, `request ${ended}`)
      await finish()
    }
    for (const answer of answers) expect((await answer).status).toBe(200)
  })

  test('who waits for the limits of the key waits too, and can be ended', async () => {
    const { double, gateway, finish } = await held()
    const { key } = await gateway.createKey({ name: 'limited', limits: { requestsPerMinute: 1 } })
    const first = chat(gateway, 'first', { key })
    await double.waitFor(({ running }) => running === 1, 'the first request')
    const second = chat(gateway, 'second', { key })
    const found = await firstOnce(gateway, '?phase=limit')
    expect(found).toMatchObject({ key: 'limited', phase: 'limit', host: null, queueWaitMs: null, attempts: 0 })
    expect(await requests(gateway, '?phase=waiting')).toMatchObject([{ id: found.id }])
    const line = await queue(gateway)
    expect(line).toMatchObject({ waiting: 0, limitWaiting: 1, keys: [{ key: 'limited', limitWaiting: 1, running: 1 }] })
    expect(line.limitTokens).toBeGreaterThan(0)
    await admin(gateway, 'POST', `/admin/requests/${found.id}/cancel`)
    expect(await queue(gateway)).toMatchObject({ limitWaiting: 0, limitTokens: 0, keys: [{ limitWaiting: 0 }] })
    expect([(await second).status, await codeOf(await second)]).toEqual([403, 'request_cancelled'])
    await finish()
    expect((await first).status).toBe(200)
    expect(asked(double, 'second')).toBe(false)
  })
})

describe('ended by an operator', () => {
  test('one in the line: its client is told, no host hears of it, and the log says who ended it', async () => {
    const { double, gateway, finish } = await held()
    const running = chat(gateway, 'running')
    await double.waitFor((host) => host.running === 1, 'the first request')
    const waiting = chat(gateway, 'waiting')
    const { id, requestId } = await firstOnce(gateway, '?phase=line')
    const told = await admin(gateway, 'POST', `/admin/requests/${id}/cancel`)
    expect(told).toMatchObject({ status: 200, json: { id, phase: 'line', host: null } })
    const answer = await waiting
    expect(answer.headers.get('x-should-retry')).toBe('false')
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'request_cancelled'])
    const [outcome] = await gateway.outcomesOnce(1)
    expect(outcome?.fields).toMatchObject({ requestId, status: 403, end: 'AQ', error: 'request_cancelled' })
    const actor = 'admin-api 127.0.0.1'
    expect(changesOf(gateway)).toEqual([
      { actor, action: 'request.cancel', id, requestId, key: 'anonymous', phase: 'line', host: null },
    ])
    expect((await admin(gateway, 'POST', `/admin/requests/${id}/cancel`)).status).toBe(404)
    await finish()
    expect((await running).status).toBe(200)
    expect(asked(double, 'waiting')).toBe(false)
    expect(changesOf(gateway)).toHaveLength(1)
  })

  test('a stream: its last frame is the error and no [DONE]; its host sees the connection close and serves the next', async () => {
    const { clock, double, gateway, finish } = await held()
    const stream = await startStream(gateway, double, { clock })
    const next = chat(gateway, 'next')
    await gaugeReaches(gateway, 'queue_depth', 1)
    const { id } = await firstOnce(gateway, '?phase=content')
    expect((await admin(gateway, 'POST', `/admin/requests/${id}/cancel`)).json).toMatchObject({ id, host: 'studio' })
    const text = await stream.rest()
    expect(text).not.toContain('[DONE]')
    expect(text.trimEnd().split('\n').at(-1)).toMatch(/^data: \{"error":.*"request_cancelled"/)
    await double.waitFor(({ inferenceRequests }) => inferenceRequests[0]?.endedBy === 'client_closed', 'the close')
    await double.waitFor(() => asked(double, 'next'), 'the next request')
    await finish()
    expect((await next).status).toBe(200)
    const [outcome] = await gateway.outcomesOnce(2)
    expect(outcome?.fields).toMatchObject({ status: 200, end: 'AD', error: 'request_cancelled' })
  })

  test('an answer that is not streamed: 403 while its host was at it, which sees the connection close', async () => {
    const { double, gateway, finish } = await held()
    const answer = chat(gateway, 'whole')
    await double.waitFor(({ running }) => running === 1, 'the request')
    const { id } = await firstOnce(gateway, '?phase=running')
    await admin(gateway, 'POST', `/admin/requests/${id}/cancel`)
    expect([(await answer).status, await codeOf(await answer)]).toEqual([403, 'request_cancelled'])
    await double.waitFor(({ inferenceRequests }) => inferenceRequests[0]?.clientClosedMs !== null, 'the close')
    const [outcome] = await gateway.outcomesOnce(1)
    expect(outcome?.fields).toMatchObject({ status: 403, end: 'AH', host: 'studio' })
    // It computes such an answer to its end whoever listens, and its slot is held as long.
    expect((await queue(gateway)).hosts).toMatchObject([{ running: 1 }])
    await finish()
    await gaugeReaches(gateway, 'host_inflight', 0)
  })

  test('one whose last bytes are on their way stays: it is whole already', async () => {
    const { clock, double, gateway, finish } = await held({ host: { slots: 2 } })
    const raw = await RawClient.open(gateway.port)
    onTestFinished(() => raw.close())
    const bytesOf = (maxTokens: number) => jsonRequestBytes('/v1/chat/completions', ask('pipelined', maxTokens))
    await raw.send(Buffer.concat([bytesOf(8), bytesOf(1)]))
    await double.waitFor(({ running }) => running === 2, 'both requests')
    // The second answer is whole, and goes out behind the first one.
    await clock.advance(300)
    const { id } = await firstOnce(gateway, '?phase=last_bytes')
    const refused = await admin(gateway, 'POST', `/admin/requests/${id}/cancel`)
    expect([refused.status, refused.json]).toMatchObject([409, { error: { code: 'conflict' } }])
    await finish()
    for (const { fields } of await gateway.outcomesOnce(2)) expect(fields).toMatchObject({ status: 200, end: '--' })
  })
})

test('each route was seen to answer well, and to refuse what it says it may', () => {
  expectSeen('getLine', 200, 400)
  expectSeen('listRequests', 200, 400)
  expectSeen('cancelRequest', 200, 404, 409)
})
