/** What the system can take away from the process: file descriptors, and a reader of its output. */
import { setTimeout as pauseFor } from 'node:timers/promises'
import { afterEach, expect, onTestFinished, test } from 'vitest'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  errorOf,
  finishFrame,
  model,
} from '../integration/scenarios/scene.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import { GatewayProcess, type GatewayProcessOptions } from '../kit/gateway-process.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { eventually } from '../kit/within.ts'

const beginning = contentFrame('once')
const rest = finishFrame + done
const streamCount = 4

async function stage(options: GatewayProcessOptions): Promise<{ host: ChaosHost; gateway: GatewayProcess }> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const gateway = await GatewayProcess.start(
    { hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 16 }] },
    options,
  )
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { host, gateway }
}

async function connect(gateway: GatewayProcess): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  return client
}

/** Ids of the requests that the relay took in: a connection that is refused at the door answers under no id of a client. */
const accepted = new Set<string>()
afterEach(() => accepted.clear())
let asked = 0

async function send(client: RawClient, fields: Readonly<Record<string, unknown>>): Promise<HttpMessage> {
  asked += 1
  const id = `asked-${asked}`
  await client.send(chatBytes(fields, { 'x-request-id': id }))
  const answer = await client.response()
  if (answer.header('x-request-id') === id) accepted.add(id)
  return answer
}

async function ask(client: RawClient, fields: Readonly<Record<string, unknown>> = {}): Promise<HttpMessage> {
  const answer = await send(client, fields)
  await answer.over()
  return answer
}

async function begin(client: RawClient): Promise<HttpMessage> {
  const answer = await send(client, { stream: true })
  await answer.has('once')
  return answer
}

test('G19: connections are refused, in words, before the file descriptors run out', async () => {
  const { host, gateway } = await stage({ descriptorsMax: 300 })
  const { streams } = await streamsAndMore(host, gateway)
  const crowd: RawClient[] = []
  for (let index = 0; index < 130; index += 1) crowd.push(await connect(gateway))
  const refused = () => crowd.filter(({ endedBy }) => endedBy !== undefined)
  await eventually(10_000, 'those beyond the limit to be refused', () => refused().length > 40)
  for (const client of refused()) {
    const answer = await client.response()
    expect(answer.status).toBe(503)
    expect(errorOf(answer).code).toBe('overloaded')
  }
  expect(await ask(crowd[0]!)).toMatchObject({ status: 200, text: chatAnswer('whole') })
  await expectGoneOn(host, streams)
  for (const client of crowd) client.close()
  expect(await eventuallyServed(gateway)).toMatchObject({ text: chatAnswer('whole') })
  await gateway.expectAtRest(accepted.size)
  await gateway.stop()
})

test('G19: where others took them all, the streams go on, nothing spins, and what is freed is used again', async () => {
  const { host, gateway } = await stage({ descriptorsMax: 300 })
  const { streams, kept } = await streamsAndMore(host, gateway)
  // What a gateway loads in its first second it has by then.
  await Promise.all([gateway.readiness(), gateway.metrics()])
  await gateway.trouble({ ask: 'files', taken: true })
  // The system has connected them; the gateway cannot have them.
  const crowd = await Promise.all(Array.from({ length: 30 }, () => connect(gateway)))
  const short = await ask(kept)
  expect(short.status).toBe(503)
  expect(errorOf(short).code).toBe('no_upstream_available')

  const before = await gateway.trouble({ ask: 'usage' })
  // Not a wait for a state: what is looked for is work that is done while nothing happens.
  await pauseFor(1_000)
  const after = await gateway.trouble({ ask: 'usage' })
  // To accept in vain again and again would use up the second.
  expect(after.busyMs - before.busyMs).toBeLessThan(300)

  await expectGoneOn(host, streams)
  await gateway.trouble({ ask: 'files', taken: false })
  expect(await eventuallyServed(gateway)).toMatchObject({ text: chatAnswer('whole') })
  for (const client of crowd) client.close()
  // The host was never to blame.
  expect(gateway.log.filter(({ msg }) => msg === 'host is down')).toEqual([])
  await gateway.expectAtRest(accepted.size)
  await gateway.stop()
})

/** Streams that have begun, and a connection to the gateway beside theirs. */
async function streamsAndMore(host: ChaosHost, gateway: GatewayProcess) {
  for (let index = 0; index < streamCount; index += 1) {
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  }
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole'))))
  const clients = await Promise.all(Array.from({ length: streamCount }, () => connect(gateway)))
  return { streams: await Promise.all(clients.map(begin)), kept: await connect(gateway) }
}

async function expectGoneOn(host: ChaosHost, streams: readonly HttpMessage[]): Promise<void> {
  for (const exchange of host.exchanges.slice(0, streamCount)) await exchange.step()
  for (const stream of streams) {
    await stream.over()
    expect(stream).toMatchObject({ complete: true, text: beginning + rest })
  }
}

async function eventuallyServed(gateway: GatewayProcess): Promise<HttpMessage> {
  const endsAt = performance.now() + 10_000
  for (;;) {
    const answer = await connect(gateway)
      .then((client) => ask(client))
      .catch(() => null)
    if (answer?.status === 200 || performance.now() > endsAt) return answer ?? expect.fail('it was served no more')
  }
}

const refusals = 6_000
const atOnce = 12

test('G25: nobody reads its output: requests are served all the same, and lines that are lost are counted', async () => {
  const { host, gateway } = await stage({})
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole'))))
  gateway.process.listen(false)
  const unknown = 'x'.repeat(64)
  const crowd = await Promise.all(Array.from({ length: atOnce }, () => connect(gateway)))
  await Promise.all(
    crowd.map(async (client) => {
      for (let index = 0; index < refusals / atOnce; index += 1) {
        expect((await ask(client, { model: unknown })).status).toBe(404)
      }
    }),
  )
  expect(await gateway.sum('log_dropped_total')).toBeGreaterThan(0)
  expect(await ask(await connect(gateway))).toMatchObject({ status: 200, text: chatAnswer('whole') })

  gateway.process.listen(true)
  await eventually(10_000, 'the notice', () => gateway.log.some(({ msg }) => msg === 'Log lines were dropped'))
  const dropped = await gateway.sum('log_dropped_total')
  await ask(await connect(gateway))
  const all = refusals + 2 - dropped
  await eventually(10_000, 'the lines that were kept', () => gateway.outcomes.length === all)
  expect(accepted.size).toBe(refusals + 2)
  await gateway.expectAtRest(refusals + 2, { dropped })
  await gateway.stop()
})
