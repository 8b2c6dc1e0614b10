/** The fleet changed through the admin API of a running gateway, as the document of the API says. */

import { expect, onTestFinished, test } from 'vitest'
import { GatewayError } from '../../src/base/errors.ts'
import { hostRoutes } from '../../src/http/admin/host-routes.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import { AdminDocument } from '../kit/admin-document.ts'
import { type AdminReply, askAdmin } from '../kit/admin-under-test.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { type Reloadable, startReloadable } from '../kit/reloadable.ts'
import { becomesTrue, eventually } from '../kit/within.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, model } from './scenarios/scene.ts'

const beginning = contentFrame('once') + contentFrame(' upon')
const rest = contentFrame(' a time') + finishFrame + done
const probe = { everyMs: 100 }
const hostNetworks = ['127.0.0.0/8']
const seen = new Set<string>()

type HostInput = NonNullable<ConfigInput['hosts']>[number]
const hostOf = (name: string, { url }: ChaosHost): HostInput => ({ name, url, kind: 'openai', slots: 1 })

async function startHost(): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  return host
}

async function admin(gateway: GatewayUnderTest, method: string, path: string, body?: unknown): Promise<AdminReply> {
  const call = { token: gateway.adminToken }
  const askAs = (way: string, where: string, more: object = {}) =>
    askAdmin(`${gateway.adminUrl}${where}`, way, { ...call, ...more })
  const reply = await askAs(method, path, body === undefined ? {} : { body })
  const document = await AdminDocument.of({ ask: askAs })
  document.expectTold(method, path, reply)
  for (const one of document.seen) seen.add(one)
  return reply
}

async function ask({ gateway }: Reloadable): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  return client
}

async function begun(client: RawClient): Promise<HttpMessage> {
  const answer = await client.response(20_000)
  await answer.has(' upon', 20_000)
  return answer
}

async function finishes(host: ChaosHost, ...answers: readonly HttpMessage[]): Promise<void> {
  for (const exchange of host.exchanges) if (!exchange.done) await exchange.step()
  for (const answer of answers) {
    await answer.over(20_000)
    expect(answer).toMatchObject({ complete: true, text: beginning + rest })
  }
}

const oneWaits = ({ gateway }: Reloadable) =>
  becomesTrue(20_000, 'one to wait', async () => (await gateway.sum('queue_depth')) === 1)

const names = async ({ gateway }: Reloadable): Promise<unknown> =>
  ((await gateway.admin('GET', '/admin/hosts')) as { hosts: readonly object[] }).hosts
    .map((host) => ({ ...host }))
    .map((host: { name?: string; source?: string; draining?: boolean }) => [host.name, host.source, host.draining])

test('a host that is added is probed at once and takes who waits; a reload keeps it, and one that the file has, too, is of the file', async () => {
  const [a, b] = [await startHost(), await startHost()]
  const config = {
    hosts: [hostOf('a', a)],
    probe: { everyMs: 600_000 },
    admin: { hostNetworks },
    server: { reloadOnChange: false },
  }
  const on = await startReloadable(config)
  const { gateway } = on
  const first = await begun(await ask(on))
  const waiting = await ask(on)
  await oneWaits(on)
  const added = await admin(gateway, 'POST', '/admin/hosts', hostOf('b', b))
  expect(added).toMatchObject({ status: 201, json: { name: 'b', until: 'restart' } })
  const second = await begun(waiting)
  expect(b.exchanges).toHaveLength(1)
  expect(await admin(gateway, 'POST', '/admin/hosts', { ...hostOf('other', b) })).toMatchObject({ status: 409 })
  expect(await admin(gateway, 'POST', '/admin/hosts', { url: 'http://127.0.0.9:1', name: 'b' })).toMatchObject({
    status: 409,
  })
  expect(await admin(gateway, 'POST', '/admin/hosts', { url: 'http://192.0.2.1' })).toMatchObject({ status: 403 })
  expect(await admin(gateway, 'POST', '/admin/hosts', { url: 'no url' })).toMatchObject({ status: 400 })

  expect(await admin(gateway, 'POST', '/admin/config/reload')).toMatchObject({
    status: 200,
    json: { changed: [], hostsLeft: [] },
  })
  expect(await names(on)).toEqual([
    ['a', 'configuration', false],
    ['b', 'operator', false],
  ])
  await on.write({ ...config, hosts: [hostOf('b', b), hostOf('a', a)] })
  const taken = await admin(gateway, 'POST', '/admin/config/reload')
  expect(taken.json).toMatchObject({ changed: ['hosts'], hostsJoined: [], hostsLeft: [], hostsChanged: [] })
  expect(await names(on)).toEqual([
    ['b', 'configuration', false],
    ['a', 'configuration', false],
  ])
  expect(b.soundRequests).toHaveLength(1)
  await finishes(a, first)
  await finishes(b, second)
  expect(await gateway.admin('GET', '/admin/audit')).toMatchObject({
    entries: [
      { action: 'config.reload', actor: 'admin-api 127.0.0.1', keyId: null, detail: { changed: 1 } },
      { action: 'config.reload' },
      { action: 'host.add', actor: 'admin-api 127.0.0.1', keyName: null, detail: { host: 'b', url: `${b.url}/` } },
      { action: 'admin-token.create' },
    ],
  })
})

test('a host that is drained finishes what it has, and is given nothing until it is resumed', async () => {
  const a = await startHost()
  const on = await startReloadable({ hosts: [hostOf('a', a)], probe })
  const { gateway } = on
  const first = await begun(await ask(on))
  const drained = { name: 'a', paused: true }
  expect(await admin(gateway, 'POST', '/admin/hosts/a/drain')).toMatchObject({
    status: 200,
    json: { ...drained, running: 1 },
  })
  const waiting = await ask(on)
  await oneWaits(on)
  await finishes(a, first)
  await becomesTrue(20_000, 'nothing to run there', async () => {
    const { json } = await admin(gateway, 'POST', '/admin/hosts/a/drain')
    return (json as { running: number }).running === 0
  })
  const probes = a.soundRequests.length
  await eventually(20_000, 'probes of a host that is drained', () => a.soundRequests.length > probes + 3)
  expect(a.exchanges).toHaveLength(1)
  expect(await admin(gateway, 'POST', '/admin/hosts/a/pause')).toMatchObject({ status: 200, json: { paused: true } })
  expect(await admin(gateway, 'POST', '/admin/hosts/a/resume')).toMatchObject({ status: 200, json: { paused: false } })
  const second = await begun(waiting)
  await finishes(a, second)
  for (const verb of ['drain', 'pause', 'resume'])
    expect(await admin(gateway, 'POST', `/admin/hosts/nobody/${verb}`)).toMatchObject({ status: 404 })
  const actions = gateway.log.filter(({ message }) => message === 'admin change').map(({ fields }) => fields['action'])
  expect(actions.filter((action) => String(action).startsWith('host.'))).toEqual([
    'host.drain',
    'host.pause',
    'host.resume',
  ])
})

test('a host that is taken out finishes what it has, stays away through a reload, and comes back when it is added', async () => {
  const [a, b] = [await startHost(), await startHost()]
  const config = {
    hosts: [hostOf('a', a), hostOf('b', b)],
    probe,
    admin: { hostNetworks },
    server: { reloadOnChange: false },
  }
  const on = await startReloadable(config)
  const { gateway } = on
  const answers = [await begun(await ask(on)), await begun(await ask(on))]
  const waiting = await ask(on)
  await oneWaits(on)
  const removed = await admin(gateway, 'DELETE', '/admin/hosts/b')
  expect(removed).toMatchObject({ status: 200, json: { name: 'b', running: 1, isConfigured: true } })
  expect(await names(on)).toEqual([
    ['a', 'configuration', false],
    ['b', 'configuration', true],
  ])
  await on.write({ ...config, balancing: { policy: 'round-robin' } })
  expect(await admin(gateway, 'POST', '/admin/config/reload')).toMatchObject({
    json: { changed: ['balancing.policy'], hostsJoined: [] },
  })
  expect(await admin(gateway, 'DELETE', '/admin/hosts/b')).toMatchObject({ status: 404 })

  // What still runs there counts against its slots when it comes back.
  expect(await admin(gateway, 'POST', '/admin/hosts', hostOf('b', b))).toMatchObject({ status: 201 })
  expect(await gateway.metric('host_inflight', { host: 'b' })).toBe(1)
  await becomesTrue(20_000, 'the host to be up', async () => (await gateway.metric('host_up', { host: 'b' })) === 1)
  expect(await gateway.sum('queue_depth')).toBe(1)
  const [atB] = b.exchanges
  await atB?.step()
  const third = await begun(waiting)
  expect(b.exchanges).toHaveLength(2)
  await finishes(a)
  await finishes(b, third)
  for (const answer of answers) {
    await answer.over(20_000)
    expect(answer).toMatchObject({ complete: true, text: beginning + rest })
  }
})

test('a host that is taken out now ends what it has: its clients are told, and may ask again', async () => {
  const [a, b] = [await startHost(), await startHost()]
  const on = await startReloadable({ hosts: [hostOf('a', a), hostOf('b', b)], probe })
  const answers = [await begun(await ask(on)), await begun(await ask(on))]
  expect(await admin(on.gateway, 'DELETE', '/admin/hosts/b?now=true')).toMatchObject({ status: 200 })
  expect(await admin(on.gateway, 'DELETE', '/admin/hosts/a?now=yes')).toMatchObject({ status: 400 })
  await Promise.race(answers.map((answer) => answer.over(20_000)))
  const [cut] = answers.filter((answer) => answer.cut || answer.text.includes('error'))
  expect(cut === undefined ? null : errorOf(cut)).toMatchObject({ code: 'no_upstream_available' })
  expect(cut?.complete).toBe(false)
  expect(await b.exchanges[0]?.peerLeft()).toBeDefined()
  await finishes(a, ...answers.filter((answer) => answer !== cut))
})

test('a reload that is refused says each problem, with its line', async () => {
  const a = await startHost()
  const on = await startReloadable({ hosts: [hostOf('a', a)], probe, server: { reloadOnChange: false } })
  await on.write({ hosts: [{ url: 'ftp://h' }], queue: { lengthMax: -1 } })
  const refused = await admin(on.gateway, 'POST', '/admin/config/reload')
  expect(refused.status).toBe(409)
  expect(refused.text).toMatch(
    /lmx-gateway\.yaml:\d+:\d+ hosts\[0\]\.url: .*\\n.*lmx-gateway\.yaml:\d+:\d+ queue\.lengthMax/,
  )
})

test('settings that wait for a start are named, those in force stay, and each is told again until then', async () => {
  const a = await startHost()
  const config: ConfigInput = { hosts: [hostOf('a', a)], probe, server: { reloadOnChange: false } }
  const on = await startReloadable(config)
  const { gateway } = on
  const changed: ConfigInput = {
    ...config,
    server: { reloadOnChange: false, headersMax: 7 },
    queue: { order: 'first-come', lengthMax: 5 },
    metrics: { enabled: false },
    slo: { timePerOutputTokenMsMax: 50 },
  }
  await on.write(changed)
  for (const live of [['queue.lengthMax', 'slo.timePerOutputTokenMsMax'], []]) {
    const { json } = await admin(gateway, 'POST', '/admin/config/reload')
    const { changed: now, waiting } = json as { changed: string[]; waiting: string[] }
    expect(now.toSorted()).toEqual(live)
    expect(waiting.toSorted()).toEqual(['metrics.enabled', 'queue.order', 'server.headersMax'])
  }
  expect(gateway.log.filter(({ message }) => message.includes('wait for a restart'))).toMatchObject([
    { level: 'warn', fields: { settings: 'server.headersMax, queue.order, metrics.enabled' } },
    { level: 'warn' },
  ])
  expect(await gateway.admin('GET', '/admin/queue')).toMatchObject({ order: 'token-fair', bounds: { lengthMax: 5 } })
  expect(await gateway.metric('host_up', { host: 'a' })).toBe(1)
})

test('every route of the fleet was seen to answer well, and to refuse what it says it may', () => {
  const missing = adminRoutes
    .filter((route) => hostRoutes.includes(route))
    .flatMap(({ operation, status, refusals = [] }) =>
      [status, ...refusals.map((code) => new GatewayError(code, '').kind.status)].map((one) => `${operation} ${one}`),
    )
    .filter((one) => !seen.has(one))
  expect(missing).toEqual([])
})
