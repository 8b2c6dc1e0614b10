/** What all requests share: it keeps nothing of those that are over, and whoever waits for it hears its end. */
import { channel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { createGateway } from '../../../src/gateway.ts'
import { Watchdog } from '../../../src/relay/watchdog.ts'
import { ChaosHost, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { configOf } from '../../kit/config-of.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { silentLog } from '../../kit/silent-log.ts'
import { eventually, within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'

const deadlines = 10_000
const limitMs = 100

test('G28: of 10,000 deadlines those that were moved or cancelled never strike, and the others neither early nor twice', async () => {
  const struckAtMs = Array.from({ length: deadlines }, (): number[] => [])
  const setAtMs: number[] = []
  const watchdogs = struckAtMs.map((struck, index) => {
    const watchdog = new Watchdog(systemClock)
    setAtMs.push(systemClock.now())
    watchdog.set(limitMs, () => struck.push(systemClock.now()))
    // Four of five end before their time, as attempts do; every tenth of them is set again and again first.
    if (index % 50 === 0) for (let time = 0; time < 100; time += 1) watchdog.set(60_000, () => struck.push(0))
    if (index % 5 !== 4) watchdog.clear()
    return watchdog
  })
  const due = struckAtMs.filter((_, index) => index % 5 === 4)
  await eventually(20 * limitMs, 'the deadlines to strike', () => due.every(({ length }) => length > 0))
  for (const [index, struck] of struckAtMs.entries()) {
    expect(struck).toHaveLength(index % 5 === 4 ? 1 : 0)
    for (const atMs of struck) expect(atMs - setAtMs[index]!).toBeGreaterThanOrEqual(limitMs)
  }
  for (const watchdog of watchdogs) watchdog.clear()
})

/** A gateway whose one slot is taken for good, and a way to get into its line. */
async function occupied(waitMsMax: number) {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
  const gateway = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 1 }],
    queue: { waitMsMax },
    probe: { everyMs: 600_000 },
  })
  onTestFinished(() => gateway.gateway.stop({ now: true }))
  const ask = async () => {
    const client = await RawClient.open(gateway.port)
    onTestFinished(() => client.close())
    await client.send(chatBytes({ stream: true }))
    return client
  }
  await (await (await ask()).response()).has('once')
  return { gateway, waiting: await Promise.all(Array.from({ length: 20 }, ask)) }
}

async function expectRefusedWith(code: string, clients: readonly RawClient[]): Promise<void> {
  for (const client of clients) {
    const answer = await client.response()
    await answer.over()
    expect(errorOf(answer).code).toBe(code)
  }
}

test('G29: patience counts from asking: nobody leaves this line for a slot, and it ends all the same', async () => {
  const { gateway, waiting } = await occupied(300)
  await expectRefusedWith('queue_timeout', waiting)
  expect(await gateway.outcomesOnce(waiting.length)).toHaveLength(waiting.length)
})

test('G29: everybody in line hears of it when the line is closed', async () => {
  const { gateway, waiting } = await occupied(600_000)
  await gaugeReaches(gateway, 'queue_depth', waiting.length)
  await within(20_000, 'the end of the gateway', gateway.gateway.stop({ now: true }))
  await expectRefusedWith('gateway_shutting_down', waiting)
  expect(await gateway.outcomesOnce(waiting.length + 1)).toHaveLength(waiting.length + 1)
})

test('G29: a stop in the middle of more probes than may run at once leaves nobody waiting for one', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const silent = 30
  for (let index = 0; index < silent; index += 1) host.playOnConnection(pause)
  const names = Array.from({ length: silent }, (_, index) => `host-${index}`)
  const config = configOf({
    server: { port: 0 },
    admin: { port: 0 },
    hosts: names.map((name) => ({ name, url: host.url, kind: 'openai' as const })),
    probe: { timeoutMs: 1_000 },
  })
  const gateway = createGateway(config, { version: '0.0.0-test', log: silentLog })
  await gateway.start()
  const probes = gateway.firstProbes()
  await eventually(10_000, 'as many probes as may run at once', () => host.connectionsOpen >= 8)
  await within(20_000, 'the end of the gateway', gateway.stop({ now: true }))
  expect(await within(5_000, 'the first probes', probes)).toHaveLength(silent)
  // Those that waited were dropped, not run.
  expect(host.connectionsOpened).toBeLessThan(silent)
})

const requests = isLong ? 10_000 : 1_500
const connections = 5

test(
  `G30: ${requests} requests on shared connections leave no listener behind, whatever became of them`,
  () =>
    scenario({}, async (scene) => {
      const shared = new Set<EventEmitter>([process])
      const collect = (message: unknown): void => {
        for (const part of Object.values(message as Record<string, unknown>)) {
          if (isShared(part)) shared.add(part)
        }
      }
      const names = ['http.server.request.start', 'undici:client:connected']
      for (const name of names) channel(name).subscribe(collect)
      onTestFinished(() => {
        for (const name of names) channel(name).unsubscribe(collect)
      })
      const stream: ScriptStep[] = [
        wholeRequest,
        sseHeadBytes(),
        chunkBytes(contentFrame('once') + finishFrame + done),
        finalChunk,
      ]
      const whole: ScriptStep[] = [wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole')))]
      const kinds = [{ stream: true }, {}, { model: 'unknown' }]
      let sent = 0
      const clients = await Promise.all(Array.from({ length: connections }, () => scene.connect()))
      const rounds = async (count: number) => {
        for (const client of clients) {
          for (let index = 0; index < count; index += 1) {
            const fields = kinds[sent % kinds.length]!
            sent += 1
            if (fields.model === undefined) scene.host().play(...(fields.stream === true ? stream : whole))
            await client.send(chatBytes(fields))
            await (await client.response()).over()
          }
        }
        await gaugeReaches(scene.gateway, 'host_inflight', 0)
      }
      await rounds(6)
      const before = listenersOf(shared)
      const emitters = shared.size
      await rounds(requests / connections - 6)
      expect(listenersOf(shared)).toBeLessThanOrEqual(before + (shared.size - emitters) * 30)
      expect(shared.size).toBeLessThan(emitters + 10)
      return { requests, attempts: { a: scene.host().exchanges.length } }
    }),
  120_000,
)

/** Sockets and servers; requests and their answers end with their listeners. */
function isShared(part: unknown): part is EventEmitter {
  return typeof part === 'object' && part !== null && /^(?:Socket|TLSSocket|Server)$/.test(part.constructor.name)
}

function listenersOf(emitters: Iterable<EventEmitter>): number {
  let count = 0
  for (const emitter of emitters) {
    for (const name of emitter.eventNames()) count += emitter.listenerCount(name)
  }
  return count
}
