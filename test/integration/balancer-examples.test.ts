/** The examples for HAProxy and nginx, each run as it is shipped before gateways: what streams need of who stands in front. */
import { setTimeout as pauseFor } from 'node:timers/promises'
import { describe, expect, onTestFinished, test as plainTest } from 'vitest'
import { ChaosHost, pause, reset, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { type Balancer, type BalancerName, isMissing, startBalancer } from '../kit/several-gateways/balancer.ts'
import { becomesTrue, eventually } from '../kit/within.ts'
import { chatBytes, contentFrame, done, finishFrame, model } from './scenarios/scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
/** Longer than what HAProxy and nginx wait for where nothing is set, or than any check takes. */
const silenceMs = isLong ? 75_000 : 7_000
const waitMs = 20_000

const balancers = [
  { name: 'haproxy', absent: isMissing('haproxy') },
  { name: 'nginx', absent: isMissing('nginx') },
] as const

interface Stage {
  readonly host: ChaosHost
  readonly gateways: readonly GatewayUnderTest[]
  readonly balancer: Balancer
}

/** A host, two gateways, and the balancer before them. */
async function stage(name: BalancerName): Promise<Stage> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const gateways = [await gateway(host), await gateway(host)]
  return { host, gateways, balancer: await before(name, gateways) }
}

async function gateway(host: ChaosHost): Promise<GatewayUnderTest> {
  const started = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 64 }],
    server: { shutdownDelayMs: 5_000, trustedProxies: ['127.0.0.1'] },
    probe: { everyMs: 600_000 },
  })
  onTestFinished(() => started.gateway.stop({ now: true }))
  return started
}

async function before(name: BalancerName, gateways: readonly { readonly url: string }[]): Promise<Balancer> {
  const balancer = await startBalancer(
    name,
    gateways.map(({ url }) => url),
  )
  onTestFinished(() => balancer[Symbol.asyncDispose]())
  if (name === 'haproxy') await seesAll(balancer, gateways.length)
  return balancer
}

async function seesAll(balancer: Balancer, count: number): Promise<void> {
  await becomesTrue(waitMs, 'HAProxy to see every gateway', async () => {
    const ready = await balancer.ready()
    return ready.length === count && ready.every(Boolean)
  })
}

async function ask({ port }: Balancer, stream: boolean): Promise<RawClient> {
  const client = await RawClient.open(port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream }))
  return client
}

const openEnd = contentFrame('once') + contentFrame(' upon')
const rest = contentFrame(' a time') + finishFrame + done
const inParts: readonly ScriptStep[] = [
  wholeRequest,
  sseHeadBytes(),
  chunkBytes(contentFrame('once')),
  pause,
  chunkBytes(contentFrame(' upon')),
  pause,
  chunkBytes(rest),
  finalChunk,
]
const wholeAnswer = jsonResponseBytes(200, {
  id: 'a',
  object: 'chat.completion',
  created: 0,
  model,
  choices: [{ index: 0, message: { role: 'assistant', content: 'yes' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
})

/** A stream of which the first frame has come. */
async function begun(balancer: Balancer): Promise<HttpMessage> {
  const answer = await (await ask(balancer, true)).response(waitMs)
  await answer.has('once', waitMs)
  return answer
}

describe.each(balancers)('$name before two gateways, as in its example', ({ name, absent }) => {
  const test = plainTest.skipIf(absent)

  test('a stream comes through frame by frame', async () => {
    const { host, balancer } = await stage(name)
    host.play(...inParts)
    const answer = await begun(balancer)
    expect(answer.status).toBe(200)
    expect(answer.text).toBe(contentFrame('once'))
    const exchange = await host.exchange()
    await exchange.step()
    await answer.has(' upon', waitMs)
    expect(answer.text).toBe(openEnd)
    await exchange.step()
    await answer.over(waitMs)
    expect(answer).toMatchObject({ complete: true, text: openEnd + rest })
  })

  test('a client that leaves frees the host: within a stream, and before anything came', async () => {
    const { host, gateways, balancer } = await stage(name)
    host.play(...inParts)
    host.play(wholeRequest, pause)
    host.play(wholeRequest, pause)
    const streaming = await ask(balancer, true)
    await (await streaming.response(waitMs)).has('once', waitMs)
    for (const stream of [true, false]) {
      const waiting = await ask(balancer, stream)
      await (await host.exchange(stream ? 1 : 2, waitMs)).paused()
      waiting.close()
    }
    streaming.close()
    for (const exchange of host.exchanges) expect(await exchange.peerLeft(waitMs)).toBeDefined()
    const ended = () => gateways.flatMap((one) => one.outcomes())
    await eventually(waitMs, 'a line of each', () => ended().length === 3)
    for (const { fields } of ended()) expect(fields['end']).toMatch(/^C/)
  })

  test(
    `what says nothing for ${silenceMs / 1_000} s is not cut, streamed or whole`,
    async () => {
      const { host, balancer } = await stage(name)
      host.play(wholeRequest, pause, sseHeadBytes(), chunkBytes(openEnd + rest), finalChunk)
      const stream = await ask(balancer, true)
      const first = await host.exchange(0, waitMs)
      host.play(wholeRequest, pause, wholeAnswer)
      const whole = await ask(balancer, false)
      const second = await host.exchange(1, waitMs)
      await pauseFor(silenceMs)
      await first.step()
      await second.step()
      for (const client of [stream, whole]) {
        const answer = await client.response(waitMs)
        await answer.over(waitMs)
        expect(answer).toMatchObject({ status: 200, complete: true })
      }
      expect(host.exchanges).toHaveLength(2)
    },
    silenceMs + 30_000,
  )

  test('a gateway that drains gets no new requests, refuses none, and ends its streams whole', async () => {
    const { host, gateways, balancer } = await stage(name)
    host.play(...inParts)
    host.play(...inParts)
    const streams = [await begun(balancer), await begun(balancer)]
    host.playAlways(wholeRequest, wholeAnswer)
    const [leaver, stayer] = gateways as [GatewayUnderTest, GatewayUnderTest]
    const goes = async (): Promise<void> => {
      await balancer.takeOut(leaver.url)
      await leaver.gateway.stop()
    }
    const gone = goes()
    let isGone = false
    void gone.then(() => (isGone = true))
    // The last of them come when it has long refused newcomers, if there were any.
    const statuses: number[] = []
    const beganMs = performance.now()
    while (performance.now() - beganMs < 7_000) {
      const answer = await (await ask(balancer, false)).response(waitMs)
      await answer.over(waitMs)
      statuses.push(answer.status)
      await pauseFor(20)
    }
    expect(isGone, 'whether it waited for its stream').toBe(false)
    for (const exchange of host.exchanges.slice(0, 2)) {
      await exchange.step()
      await exchange.step()
    }
    for (const answer of streams) {
      await answer.over(waitMs)
      expect(answer).toMatchObject({ complete: true, text: openEnd + rest })
    }
    await gone
    expect(new Set(statuses)).toEqual(new Set([200]))
    for (const one of gateways)
      expect(new Set(one.outcomes().map(({ fields }) => fields['end']))).toEqual(new Set(['--']))
    expect(stayer.outcomes().length).toBeGreaterThan(leaver.outcomes().length)
  })

  test('a stream goes where the fewest are, and requests in turn come on few connections', async () => {
    const { host, gateways, balancer } = await stage(name)
    for (let count = 0; count < 4; count += 1) host.play(...inParts)
    for (let count = 0; count < 4; count += 1) await begun(balancer)
    for (const one of gateways) expect(await one.sum('open_streams')).toBe(2)
  })
})

describe.each(balancers)('$name before gateways that fail', ({ name, absent }) => {
  const test = plainTest.skipIf(absent)

  /** They look ready, and do what they are told. */
  async function doomed(count: number): Promise<ChaosHost[]> {
    const gateways: ChaosHost[] = []
    for (let at = 0; at < count; at += 1) {
      const one = await ChaosHost.start({ models: [model], get: { '/readyz': {} } })
      onTestFinished(() => one.close())
      gateways.push(one)
    }
    return gateways
  }

  test('a request that was sent is not sent again', async () => {
    const gateways = await doomed(2)
    const balancer = await before(name, gateways)
    for (const one of gateways) one.playAlways(wholeRequest, reset)
    const answer = await (await ask(balancer, false)).response(waitMs)
    expect(answer.status).toBe(502)
    expect(gateways.flatMap(({ exchanges }) => exchanges)).toHaveLength(1)
  })

  test('one that nobody took goes to another gateway', async () => {
    const gateways = await doomed(2)
    const balancer = await before(name, gateways)
    const [gone, there] = gateways as [ChaosHost, ChaosHost]
    there.playAlways(wholeRequest, wholeAnswer)
    await gone.close()
    for (let count = 0; count < 4; count += 1) {
      const answer = await (await ask(balancer, false)).response(waitMs)
      await answer.over(waitMs)
      expect(answer.status).toBe(200)
    }
    expect(there.exchanges).toHaveLength(4)
  })

  test('connections to a gateway are used again, and the address of the client is told', async () => {
    const gateways = await doomed(1)
    const balancer = await before(name, gateways)
    const [only] = gateways as [ChaosHost]
    only.playAlways(wholeRequest, wholeAnswer)
    const client = await RawClient.open(balancer.port)
    onTestFinished(() => client.close())
    const opened = only.connectionsOpened
    for (let count = 0; count < 10; count += 1) {
      await client.send(chatBytes({ stream: false }, { 'x-forwarded-for': '192.0.2.1' }))
      await (await client.response(waitMs)).over(waitMs)
    }
    // HAProxy's checks come on new ones.
    const checks = only.soundRequests.filter((request) => request === 'GET /readyz').length
    expect(only.connectionsOpened - opened).toBeLessThanOrEqual(2 + checks)
    const told = only.exchanges.map(({ request }) =>
      request?.headers.filter(([key]) => key.toLowerCase() === 'x-forwarded-for'),
    )
    for (const headers of told) expect(headers?.at(-1)?.[1]).toMatch(/127\.0\.0\.1$/)
  })
})
