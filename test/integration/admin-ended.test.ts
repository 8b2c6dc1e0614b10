/** Requests that have ended, through the admin API of a real gateway: listed and shown with their times and what was decided. */

import { expect, test } from 'vitest'
import type { EndedRequest } from '../../src/http/admin/ended-request-schema.ts'
import type { ShownRequest } from '../../src/http/admin/requests-schema.ts'
import { clientOf, gatewayBefore, gaugeReaches, model, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { admin, chat, expectSeen, firstOnce, held, startStream } from './admin-line-scene.ts'

async function ended(gateway: GatewayUnderTest, query = ''): Promise<readonly EndedRequest[]> {
  return ((await admin(gateway, 'GET', `/admin/requests${query}`)).json as { ended: EndedRequest[] }).ended
}

async function shown(gateway: GatewayUnderTest, id: string): Promise<ShownRequest> {
  return (await admin(gateway, 'GET', `/admin/requests/${id}`)).json as ShownRequest
}

test('one is shown while it runs and once it has ended, by the same id, which its line in the log has', async () => {
  const { clock, double, gateway, finish } = await held()
  const stream = await startStream(gateway, double, { clock })
  const { id } = await firstOnce(gateway, '?phase=content')
  expect(await shown(gateway, id)).toMatchObject({ live: { id, phase: 'content', host: 'studio' }, ended: null })
  await finish()
  await stream.rest()
  const [line] = await gateway.outcomesOnce(1)
  expect(line?.fields['id']).toBe(id)
  const { live, ended: one } = await shown(gateway, id)
  expect(live).toBeNull()
  expect(one).toMatchObject({
    id,
    key: 'anonymous',
    class: 'default',
    endpoint: 'chat_completions',
    model,
    asked: null,
    stream: true,
    status: 200,
    end: '--',
    error: null,
    host: 'studio',
    toldWait: null,
    tokens: { output: 8 },
    usage: 'reported',
    attempts: 1,
    attemptsMade: [{ host: 'studio', model, reason: 'only_host', considered: ['studio'], failure: null }],
  })
  const { durationMs, spent } = one as EndedRequest
  const sum = Object.values(spent).reduce((all, part) => all + part, 0)
  expect(sum).toBeCloseTo(durationMs, 1)
  expect(Number(one?.tokensPerSecond) * Number(one?.tpotMs)).toBeCloseTo(1_000, -1)
  const fields = line?.fields ?? {}
  expect(fields['reason']).toBe('only_host')
  for (const name of ['durationMs', 'ttftMs', 'tpotMs', 'tokensPerSecond'] as const)
    expect(Number(fields[name]), name).toBeCloseTo(Number(one?.[name]), 0)
  expect((await admin(gateway, 'GET', '/admin/requests/none')).status).toBe(404)
})

test('the decision behind each: who had room, what failed, and what was told of the wait', async () => {
  const broken = await startDouble({ faults: { emptyReply: true } })
  const good = await startDouble()
  const gateway = await gatewayBefore([
    { name: 'broken', url: broken.url },
    { name: 'good', url: good.url },
  ])
  const client = clientOf(gateway)
  const failedOver = async () => (await ended(gateway)).find(({ attempts }) => attempts === 2)
  // Among equals chance decides which host comes first.
  for (let at = 0; (await failedOver()) === undefined; at++) {
    // Nobody has read it before.
    await client.chat.completions.create({ model, messages: [{ role: 'user', content: `question ${at}` }] })
  }
  const { attemptsMade, host } = (await failedOver()) as EndedRequest
  const [first, second] = attemptsMade
  expect(first).toMatchObject({ host: 'broken', reason: 'fastest' })
  expect(first?.failure).toMatch(/^upstream_/)
  expect(first?.considered.toSorted()).toEqual(['broken', 'good'])
  expect(second).toMatchObject({ host: 'good', reason: 'only_host', considered: ['good'], failure: null })
  expect(first?.endedMs).toBeLessThanOrEqual(second?.beganMs ?? 0)
  expect(host).toBe('good')
})

test('what it was told of its wait stands beside what the wait was', async () => {
  const { double, gateway, finish } = await held()
  // The first teach how long an answer takes.
  for (let nth = 1; nth <= 3; nth++) {
    const answer = chat(gateway, `teaches ${nth}`)
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === nth, 'the request')
    await finish()
    await answer
  }
  const running = chat(gateway, 'runs')
  await double.waitFor(({ running: now }) => now === 1, 'the one that runs')
  const waiting = chat(gateway, 'waits')
  await gaugeReaches(gateway, 'queue_depth', 1)
  await finish()
  await running
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 5, 'the one that waited')
  await finish()
  await waiting
  const [last, before] = await ended(gateway)
  expect(before).toMatchObject({ toldWait: null })
  expect(last?.spent.queueMs).toBeGreaterThan(0)
  expect(last?.toldWait).not.toBeNull()
  expect(last?.toldWait?.p90Ms).toBeGreaterThanOrEqual(last?.toldWait?.p50Ms ?? Number.NaN)
})

test('the last are listed first, those that are asked for, and no more than so many', async () => {
  const { double, gateway, finish } = await held({ log: { recentRequestsMax: 10 } })
  const alice = await gateway.createKey({ name: 'alice' })
  const bob = await gateway.createKey({ name: 'bob' })
  for (const [nth, key] of [alice, bob, alice].entries()) {
    const answer = chat(gateway, `request ${nth}`, { ...key, headers: { 'x-request-id': `n${nth}` } })
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === nth + 1, 'the request')
    await finish()
    await answer
  }
  const unknown = await fetch(`${gateway.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bob.key}`, 'content-type': 'application/json', 'x-request-id': 'n3' },
    body: JSON.stringify({ model: 'nowhere', messages: [] }),
  })
  expect(unknown.status).toBe(404)
  const idsOf = async (query: string) => (await ended(gateway, query)).map(({ requestId }) => requestId)
  expect(await idsOf('')).toEqual(['n3', 'n2', 'n1', 'n0'])
  expect(await idsOf('?ended=2')).toEqual(['n3', 'n2'])
  expect(await idsOf('?key=alice')).toEqual(['n2', 'n0'])
  expect(await idsOf(`?key=${bob.id}`)).toEqual(['n3', 'n1'])
  expect(await idsOf('?host=studio')).toEqual(['n2', 'n1', 'n0'])
  expect(await idsOf(`?model=${encodeURIComponent(model)}&ended=1`)).toEqual(['n2'])
  expect(await idsOf('?status=404')).toEqual(['n3'])
  expect(await idsOf('?end=--')).toEqual(['n2', 'n1', 'n0'])
  const slowest = (await ended(gateway)).toSorted((a, b) => b.durationMs - a.durationMs)[0]
  const whole = Math.floor(slowest?.durationMs ?? 0)
  expect(await idsOf(`?slowerThanMs=${whole}`)).toContain(slowest?.requestId)
  expect(await idsOf(`?slowerThanMs=${whole + 1}`)).toEqual([])
  expect((await admin(gateway, 'GET', '/admin/requests?ended=x')).status).toBe(400)
  expect(await idsOf('?ended=0')).toEqual([])
  expect(await idsOf('?requestId=n1')).toEqual(['n1'])
  // A hundred that nobody let in push out none of them.
  for (let n = 0; n < 100; n++) {
    await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers: { authorization: 'Bearer x' } })
  }
  expect(await idsOf('?end=--')).toEqual(['n2', 'n1', 'n0'])
  expect(await idsOf('?end=GA')).toEqual([expect.any(String), 'n3'])
})

test('one is found by the id that its client has', async () => {
  const { double, gateway, finish } = await held()
  const answer = chat(gateway, 'x', { headers: { 'x-request-id': 'mine' } })
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 1, 'the request')
  const { live } = await shown(gateway, 'mine')
  expect(live).toMatchObject({ requestId: 'mine', host: 'studio' })
  await finish()
  await answer
  expect(await shown(gateway, 'mine')).toMatchObject({ live: null, ended: { id: live?.id, requestId: 'mine' } })
})

test('nothing of prompts, answers, headers or addresses is told', async () => {
  const { double, gateway, finish } = await held()
  const answer = chat(gateway, 'CANARY of a prompt', { headers: { 'x-other': 'CANARY of a header' } })
  await double.waitFor(({ running }) => running === 1, 'the request')
  await finish()
  await answer
  const reply = await admin(gateway, 'GET', '/admin/requests')
  expect(reply.text).not.toContain('CANARY')
  expect(reply.text).not.toContain('w0')
  expect(reply.text).not.toContain(double.url)
})

test('each route was seen to answer well, and to refuse what it says it may', () => {
  expectSeen('listRequests', 200, 400)
  expectSeen('readRequest', 200, 404)
})
