/** How long a connection to a host that is idle is kept: as configured, as its kind is known to allow, or a short time. */
import { afterEach, expect, test, vi } from 'vitest'
import { Transport } from '../../src/hosts/transport.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { jsonResponseBytes } from '../kit/http-bytes.ts'
import { eventually } from '../kit/within.ts'

const answer = jsonResponseBytes(200, {})
const lmxPaths = {
  '/healthz': { status: 'ok', version: '0.1.0' },
  '/.well-known/opta-lmx': { service: 'opta-lmx', in_flight_requests: 0 },
}
const unknownMs = 4_000
const lmxMs = 30_000

afterEach(() => {
  vi.restoreAllMocks()
})

/** The times after which idle connections were to be closed, as timers of the client library's were set. */
function idleTimes(): () => Set<number> {
  const spy = vi.spyOn(globalThis, 'setTimeout')
  const known = new Set([unknownMs, lmxMs, 250, 1_500])
  return () => new Set(spy.mock.calls.map(([, ms]) => ms ?? 0).filter((ms) => known.has(ms)))
}

test('an idle connection is closed after the configured time', async () => {
  const host = await ChaosHost.start({ models: ['m'] })
  await using gateway = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', keepAliveMs: 250 }],
    probe: { everyMs: 600_000 },
  })
  await eventually(5_000, 'the connection of the probes to be closed', () => host.connectionsOpen === 0)
  expect(gateway.log.filter(({ level }) => level === 'error')).toEqual([])
  await host.close()
})

test.each<[string, object, number]>([
  ['a server of no known time', {}, unknownMs],
  ['LMX', { kind: 'lmx' }, lmxMs],
  ['LMX with a time of its own', { kind: 'lmx', keepAliveMs: 1_500 }, 1_500],
])('%s: %j', async (_what, settings, ms) => {
  const host = await ChaosHost.start({ models: ['m'], get: lmxPaths })
  const times = idleTimes()
  const kind = { kind: 'openai' as const, ...settings }
  const gateway = await startGateway({ hosts: [{ name: 'a', url: host.url, ...kind }], probe: { everyMs: 600_000 } })
  await eventually(5_000, 'a connection to be idle', () => times().size > 0)
  await gateway[Symbol.asyncDispose]()
  expect(times()).toEqual(new Set([ms]))
  await host.close()
})

test('once the kind was detected its time holds, and no request before it is lost', async () => {
  const host = await ChaosHost.start()
  let known: number | undefined
  const transport = new Transport(host.url, { connectMsMax: 5_000, keepAliveMs: () => known })
  host.play(wholeRequest, pause, answer)
  host.play(wholeRequest, answer)
  const first = ask(transport)
  await (await host.exchange()).paused()
  known = 250
  expect(await ask(transport)).toBe('end')
  await (await host.exchange()).step()
  expect(await first).toBe('end')
  await eventually(5_000, 'both connections to be closed', () => host.connectionsOpen === 0)
  await transport.close()
  await host.close()
})

test('what still runs on connections of before is ended with the transport', async () => {
  const host = await ChaosHost.start()
  let known: number | undefined
  const transport = new Transport(host.url, { connectMsMax: 5_000, keepAliveMs: () => known })
  host.play(wholeRequest, pause)
  host.play(wholeRequest, answer)
  const first = ask(transport)
  await (await host.exchange()).paused()
  known = 60_000
  expect(await ask(transport)).toBe('end')
  await transport.close()
  expect(await first).toBe('disconnected')
  await (await host.exchange()).step()
  await eventually(5_000, 'both connections to be closed', () => host.connectionsOpen === 0)
  await host.close()
})

test('a host that hints at less is believed', async () => {
  const host = await ChaosHost.start()
  const transport = new Transport(host.url, { connectMsMax: 5_000, keepAliveMs: () => lmxMs })
  // Less the 2 s that the way may take.
  host.play(wholeRequest, jsonResponseBytes(200, {}, { 'keep-alive': 'timeout=2' }))
  expect(await ask(transport)).toBe('end')
  await eventually(5_000, 'the connection to be closed', () => host.connectionsOpen === 0)
  await transport.close()
  await host.close()
})

function ask(transport: Transport): Promise<string> {
  return new Promise((resolve) => {
    transport.send(
      { method: 'POST', path: '/v1/chat/completions', headers: {}, body: Buffer.from('{}') },
      {
        connected: () => {},
        head: () => {},
        data: () => {},
        end: () => resolve('end'),
        failed: ({ kind }) => resolve(kind),
      },
      { fresh: false },
    )
  })
}
