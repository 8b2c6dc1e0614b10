/** A line of thousands before one slot: what each of them takes of memory, and that all may go at once. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { answeredAtStep, userOf } from '../integration/scenarios/line-scene.ts'
import { chatBytes, model } from '../integration/scenarios/scene.ts'
import { ChaosHost } from '../kit/chaos-host.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { restGauges } from '../kit/process-end.ts'
import { RawClient } from '../kit/raw-client.ts'
import { within } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
/** Nearly as many as 20,000 open files allow, of which a gateway keeps one for the host behind each connection. */
const waiting = isLong ? 9_000 : 1_500
/** Wait already when what lives is measured first: what the first of a kind take beside themselves is not theirs. */
const waitingBefore = 500
const served = 20
/** Beside its body: its request and its connection, and what its prompt and its length are known by. */
const bytesEachMax = 15_360
/** Twenty times of what it should take, since other tests run beside it. */
const leavingMsMax = 40_000
const mebibyte = 1_048_576
const most = 20_000

const config = {
  server: { connectionsMax: most, connectionsPerAddressMax: most },
  queue: { lengthMax: most, lengthMaxPerKey: most, tokensMax: 1e9, tokensMaxPerKey: 1e9, waitMsMax: 3_600_000 },
}

test(`S01: ${waiting} wait before one slot: each takes little memory beside its body, and when all leave nothing is left`, async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(...answeredAtStep)
  await using gateway = await GatewayProcess.start(
    { hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 1 }], ...config },
    { nodeArgs: ['--expose-gc'] },
  )
  const [holder] = (await sendAll(gateway, 1)).values()
  await (await host.exchange()).paused()
  const bodyBytes = await gateway.sum('queue_bytes')
  const first = await sendAll(gateway, waitingBefore)
  await within(60_000, `${waitingBefore} in the line`, depthReaches(gateway, waitingBefore))
  const before = await heapBytes(gateway)

  const others = await sendAll(gateway, waiting - waitingBefore, waitingBefore)
  const clients = new Map([...first, ...others])
  await within(isLong ? 900_000 : 120_000, `${waiting} in the line`, depthReaches(gateway, waiting))
  expect((await heapBytes(gateway)) - before).toBeLessThan(others.size * bytesEachMax)
  expect(await gateway.sum('queue_bytes')).toBe((1 + waiting) * bodyBytes)

  for (let at = 0; at < served; at++) await (await host.exchange(at)).step()
  expect((await holder?.response())?.status).toBe(200)
  const running = await host.exchange(served)
  await running.paused()
  await depthReaches(gateway, waiting - served)

  const runs = clients.get(userOf(running) ?? '')
  for (const client of clients.values()) if (client !== runs) client.close()
  await within(leavingMsMax, 'all of them to be gone', depthReaches(gateway, 0))
  await running.step()
  expect((await runs?.response())?.status).toBe(200)
  // Not by the log, which leaves out lines where so many come at once.
  await gateway.sumReaches('requests_total', 1 + waiting)
  for (const gauge of restGauges) await gateway.sumReaches(gauge, 0)
  expect(host.exchanges).toHaveLength(1 + served)
}, 1_200_000)

/** By their users. No more connections are opened at once than a listener lets wait. */
async function sendAll({ port }: GatewayProcess, count: number, from = 0): Promise<ReadonlyMap<string, RawClient>> {
  const clients = new Map<string, RawClient>()
  onTestFinished(() => {
    for (const client of clients.values()) client.close()
  })
  while (clients.size < count) {
    const users = Array.from({ length: Math.min(100, count - clients.size) }, (_, at) =>
      userAt(from + clients.size + at),
    )
    await Promise.all(
      users.map(async (user) => {
        const client = await RawClient.open(port)
        clients.set(user, client)
        await client.send(chatBytes({ user }))
      }),
    )
  }
  return clients
}

/** All of one length, so that their bodies are. */
const userAt = (index: number): string => `user-${String(index).padStart(6, '0')}`

async function depthReaches(gateway: GatewayProcess, depth: number): Promise<void> {
  // Each look costs the gateway a walk along the line.
  while ((await gateway.sum('queue_depth')) !== depth) await pause(50)
}

/** Of what lives. */
async function heapBytes(gateway: GatewayProcess): Promise<number> {
  const { usedMebibytes } = await gateway.trouble({ ask: 'hold', mebibytes: 0 })
  return usedMebibytes * mebibyte
}
