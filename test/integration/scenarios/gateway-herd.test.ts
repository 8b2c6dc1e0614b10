/** Many at once and one after another: a herd that comes back, connections that come and go, faults without end. */
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { createGateway } from '../../../src/gateway.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { createLog, type LogSink } from '../../../src/observe/log-writer.ts'
import { ChaosHost, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { configOf } from '../../kit/config-of.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { jsonResponseBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { entriesOf, expectSoundEnd } from '../../kit/process-end.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, errorOf, expectQuiet, model, scenario } from './scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const answered = jsonResponseBytes(200, JSON.parse(chatAnswer('whole')))

const clients: RawClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})

async function connect(port: number): Promise<RawClient> {
  const client = await RawClient.open(port)
  clients.push(client)
  return client
}

/** No more at once than a listener lets wait: what is beyond, the system takes to be connected, and it is not. */
async function connectMany(port: number, count: number): Promise<RawClient[]> {
  const connected: RawClient[] = []
  while (connected.length < count) {
    const length = Math.min(200, count - connected.length)
    connected.push(...(await Promise.all(Array.from({ length }, () => connect(port)))))
  }
  return connected
}

async function ask(client: RawClient, fields: Readonly<Record<string, unknown>> = {}): Promise<HttpMessage> {
  await client.send(chatBytes(fields))
  const answer = await client.response(60_000)
  await answer.over(60_000)
  return answer
}

async function hostOf(...script: readonly ScriptStep[]): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(...script)
  return host
}

const herd = isLong ? 5_000 : 300

test(`S04: ${herd} clients come back after a restart: served as far as there is room, the others told different times to come again`, async () => {
  const host = await hostOf(wholeRequest, pause, answered)
  const slots = 4
  const lengthMax = Math.floor(herd / 3)
  const config = {
    hosts: [{ name: 'a', url: host.url, kind: 'openai' as const, slots }],
    queue: { lengthMax, waitMsMax: 120_000 },
    probe: { everyMs: 600_000 },
  }
  const first = await startGateway(config)
  const { port } = first
  const crowd = await connectMany(port, herd)
  await first.gateway.stop()
  await Promise.all(crowd.map((client) => client.closed(60_000)))

  await using second = await startGateway({ ...config, server: { port } })
  const back = await connectMany(port, herd)
  const answers = back.map((client) => ask(client))
  const room = slots + lengthMax
  await second.outcomesOnce(herd - room, 60_000)
  for (let index = 0; index < room; index += 1) await (await host.exchange(index, 60_000)).step()
  const refused: HttpMessage[] = []
  for (const answer of await Promise.all(answers)) {
    expect(answer.complete).toBe(true)
    if (answer.status !== 200) refused.push(answer)
  }
  expect(refused).toHaveLength(herd - room)
  for (const answer of refused) {
    expect(answer.status).toBe(503)
    expect(errorOf(answer).code).toBe('queue_full')
    expect(answer.header('x-should-retry')).toBe('true')
    expect(Number(answer.header('retry-after'))).toBeGreaterThan(0)
  }
  const hints = new Set(refused.map((answer) => answer.header('retry-after-ms')))
  expect(hints.size).toBeGreaterThan(refused.length / 10)
  await expectQuiet(second, { requests: herd })
}, 240_000)

test('S04: and in the order in which they came', async () => {
  const host = await hostOf(wholeRequest, pause, answered)
  await using gateway = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 1 }],
    probe: { everyMs: 600_000 },
  })
  const batch = 10
  const batches = 6
  const answers: Promise<HttpMessage>[] = []
  for (let index = 0; index < batches; index += 1) {
    // Within a batch the system decides who was first.
    const connections = await Promise.all(Array.from({ length: batch }, () => connect(gateway.port)))
    for (const client of connections) answers.push(ask(client, { user: `batch-${index}` }))
    await gaugeReaches(gateway, 'queue_depth', (index + 1) * batch - 1)
  }
  for (let index = 0; index < batches * batch; index += 1) await (await host.exchange(index)).step()
  for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200)
  const order = host.exchanges.map(({ request }) => /batch-\d+/.exec(request?.text ?? '')?.[0])
  expect(order).toEqual(Array.from({ length: batches * batch }, (_, at) => `batch-${Math.floor(at / batch)}`))
  await expectQuiet(gateway, { requests: batches * batch })
})

const churn = isLong ? 20_000 : 600
const churners = 8

test(
  `S17: ${churn} requests, each on a connection of its own: those to the host are used again`,
  () =>
    scenario({}, async (scene) => {
      scene.host().playAlways(wholeRequest, answered)
      const openedBefore = scene.host().connectionsOpened
      const comeAndGo = async () => {
        for (let index = 0; index < churn / churners; index += 1) {
          const client = await RawClient.open(scene.gateway.port)
          expect((await ask(client)).status).toBe(200)
          client.close()
        }
      }
      await Promise.all(Array.from({ length: churners }, comeAndGo))
      expect(scene.host().connectionsOpened - openedBefore).toBeLessThan(churn * 0.05)
      return { requests: churn, attempts: { a: churn } }
    }),
  240_000,
)

const flood = isLong ? 20_000 : 800

test(`S13: ${flood} requests that fail inside: the fault is told twice a second, and each request has its line`, async () => {
  let written = ''
  const sink: LogSink = {
    write(text) {
      written += text
      return true
    },
    on: () => sink,
  }
  const host = await hostOf(wholeRequest, answered)
  const config = configOf({
    server: { port: 0 },
    admin: { port: 0 },
    hosts: [{ name: 'a', url: host.url, kind: 'openai' }],
  })
  const log = createLog(config.log, sink, systemClock)
  const usage = new Set<string>()
  const gateway = createGateway(config, { version: '0.0.0-test', log, usage: ({ id }) => void usage.add(id) })
  onTestFinished(() => gateway.stop({ now: true }))
  const { dataUrl, adminUrl } = await gateway.start()
  await within(10_000, 'the first probe', gateway.firstProbes())
  vi.spyOn(ModelCatalog.prototype, 'route').mockImplementation(() => {
    throw new Error('a fault')
  })

  const beganAt = performance.now()
  const suffer = async () => {
    const client = await connect(Number(new URL(dataUrl).port))
    for (let index = 0; index < flood / churners; index += 1) expect((await ask(client)).status).toBe(500)
  }
  await Promise.all(Array.from({ length: churners }, suffer))
  log.flush()
  const seconds = Math.ceil((performance.now() - beganAt) / 1_000)
  const told = entriesOf(written).filter(({ msg }) => msg === 'a request failed inside the gateway')
  // One when it begins and one that sums up, for each second that was touched.
  expect(told.length).toBeLessThanOrEqual(2 * (seconds + 1))
  const firsts = told.filter(({ repeated }) => repeated === undefined).length
  expect(told.reduce((sum, { repeated }) => sum + Number(repeated ?? 0), firsts)).toBe(flood)
  expect(usage.size, 'usage records').toBe(flood)
  const page = await (await fetch(`${adminUrl}/metrics`)).text()
  expectSoundEnd({ page, out: '', err: written }, { requests: flood, faults: told.length })
  expect(host.exchanges).toEqual([])
}, 120_000)
