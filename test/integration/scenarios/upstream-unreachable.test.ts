/** Hosts that cannot be reached: nobody answers the connection attempt, or the name does not lead to them. */
import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { ResolveName } from '../../../src/hosts/name-lookup.ts'
import { ChaosHost, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { DeafHost } from '../../kit/deaf-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, expectQuiet, finishFrame, model } from './scene.ts'

/** What the deaf host serves. */
const deafModel = 'org/stub-a'
const connectMsMax = 200

test('U02: a host that takes no connection is passed over after the limit, and the other one answers', async () => {
  const deaf = await started(DeafHost.start())
  const other = await started(ChaosHost.start({ models: [deafModel, 'only-b'] }))
  const hosts = [
    { name: 'deaf', url: deaf.url, kind: 'openai' as const },
    { name: 'b', url: other.url, kind: 'openai' as const },
  ]
  await using gateway = await startGateway({ hosts, probe: { everyMs: 600_000 }, relay: { connectMsMax } })
  // One stream keeps b busy, so that the deaf host is the one with the fewest requests and is chosen first.
  other.play(sseHeadBytes(), chunkBytes(contentFrame('x')), pause, chunkBytes(finishFrame + done), finalChunk)
  other.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('from b'))))
  const busy = await sent(gateway, { model: 'only-b', stream: true })
  await other.exchange()
  await deaf.closeEars()
  const answer = await whole(await sent(gateway, { model: deafModel }))
  expect([answer.status, answer.text]).toEqual([200, chatAnswer('from b')])
  expect(answer.header('x-lmx-gateway-host')).toBe('b')
  expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
  await (await other.exchange()).step()
  await whole(busy)
  await expectQuiet(gateway, { requests: 2 })
})

test('U02: alone, a host that takes no connection is 503', async () => {
  const deaf = await started(DeafHost.start())
  const hosts = [{ name: 'deaf', url: deaf.url, kind: 'openai' as const }]
  await using gateway = await startGateway({ hosts, probe: { everyMs: 600_000 }, relay: { connectMsMax } })
  await deaf.closeEars()
  const answer = await within(connectMsMax * 20, 'the refusal', whole(await sent(gateway, { model: deafModel })))
  expectUnreachable(answer)
  expect((await gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'uC', attempts: 1, status: 503 })
  await expectQuiet(gateway, { requests: 1 })
})

const here: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }]
const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND studio.test'), { code: 'ENOTFOUND' })
const ipv6Alone: LookupAddress[] = [{ address: '::ffff:127.0.0.1', family: 6 }]
/** The first of them leads nowhere: nothing listens there. */
const deadOneFirst: LookupAddress[] = [{ address: '127.0.0.9', family: 4 }, ...here]

/** A name server that answers as it is told, or not at all. */
class Names {
  answer: LookupAddress[] | Error | 'none' = here
  readonly resolve: ResolveName = (_name, answer) => {
    const { answer: told } = this
    // A turn later, as a real one.
    setImmediate(() => {
      if (told instanceof Error) answer(told, [])
      else if (told !== 'none') answer(null, told)
    })
  }
}

/** A host behind a name that was resolved once; its connections close after each answer, so that each request asks anew. */
async function named(answer: LookupAddress[] = here) {
  const names = new Names()
  names.answer = answer
  const host = await started(ChaosHost.start({ models: [model] }))
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x')), { connection: 'close' }))
  const clock = new FakeClock()
  const gateway = await startGateway(
    {
      hosts: [{ name: 'studio', url: `http://studio.test:${new URL(host.url).port}`, kind: 'openai' }],
      probe: { everyMs: 600_000 },
    },
    { resolveName: names.resolve, clock },
  )
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const first = await whole(await sent(gateway))
  expect(first.status).toBe(200)
  return { names, host, clock, gateway }
}

test.each([
  ['fails', notFound],
  ['does not answer', 'none'],
] as const)('U03: when the name server %s, the last good address is used', async (_what, answer) => {
  const { names, clock, gateway } = await named()
  names.answer = answer instanceof Error ? answer : 'none'
  const client = await sent(gateway)
  const answered = whole(client)
  await turns()
  await clock.advance(1_000)
  expect((await answered).status).toBe(200)
  await expectQuiet(gateway, { requests: 2 })
})

test('U03: an address older than a minute is not trusted any more: 503', async () => {
  const { names, clock, gateway } = await named()
  names.answer = notFound
  await clock.advance(60_001)
  expectUnreachable(await whole(await sent(gateway)))
  expect((await gateway.outcomesOnce(2))[1]?.fields).toMatchObject({ end: 'UC', attempts: 1, status: 503 })
  await expectQuiet(gateway, { requests: 2 })
})

test('U03: without an address that can be trusted, a name server that does not answer is 503 after the limit to connect', async () => {
  const { names, clock, gateway } = await named()
  names.answer = 'none'
  await clock.advance(60_001)
  const answered = whole(await sent(gateway))
  await attempted(clock, gateway)
  expectUnreachable(await answered)
  expect((await gateway.outcomesOnce(2))[1]?.fields).toMatchObject({ end: 'uC', attempts: 1, status: 503 })
  // The probe that follows waits for the name as well.
  await clock.advance(2_000)
  await expectQuiet(gateway, { requests: 2 })
})

test('U03: a name that cannot be resolved from the start leaves its host down', async () => {
  const names = new Names()
  names.answer = notFound
  const hosts = [{ name: 'studio', url: 'http://studio.test:9', kind: 'openai' as const, models: [model] }]
  await using gateway = await startGateway({ hosts, probe: { everyMs: 600_000 } }, { resolveName: names.resolve })
  const [report] = await gateway.gateway.firstProbes()
  expect(report?.problem).toBe('the name cannot be resolved')
  expectUnreachable(await whole(await sent(gateway)))
  await expectQuiet(gateway, { requests: 1 })
})

test.each([
  ['AAAA alone', ipv6Alone],
  ['two addresses, the first of which nobody has', deadOneFirst],
])('U03: a name with %s is reached', async (_what, addresses) => {
  const { gateway } = await named(addresses)
  await expectQuiet(gateway, { requests: 1 })
})

// Other systems give loopback one address only.
test.skipIf(process.platform !== 'linux')('U03: a name that moves is followed with the next connection', async () => {
  const { names, host, gateway } = await named()
  const moved = createServer((request, response) => {
    request.resume()
    response.end(chatAnswer('moved'))
  })
  await new Promise<void>((resolve) => {
    moved.listen(Number(new URL(host.url).port), '127.0.0.2', resolve)
  })
  onTestFinished(() => {
    moved.close()
    moved.closeAllConnections()
  })
  names.answer = [{ address: '127.0.0.2', family: 4 }]
  expect((await whole(await sent(gateway))).text).toBe(chatAnswer('moved'))
  await expectQuiet(gateway, { requests: 2 })
})

test('U03: a name server that does not answer holds up nobody else', async () => {
  const names = new Names()
  names.answer = 'none'
  const host = await started(ChaosHost.start({ models: [model] }))
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
  const hosts = [
    { name: 'lost', url: 'http://studio.test:9', kind: 'openai' as const, models: ['lost'] },
    { name: 'near', url: host.url, kind: 'openai' as const },
  ]
  const probe = { everyMs: 600_000, timeoutMs: 100 }
  await using gateway = await startGateway({ hosts, probe }, { resolveName: names.resolve })
  for (let time = 0; time < 5; time++) expect((await whole(await sent(gateway))).status).toBe(200)
  await expectQuiet(gateway, { requests: 5 })
})

async function started<H extends ChaosHost | DeafHost>(starting: Promise<H>): Promise<H> {
  const host = await starting
  onTestFinished(() => host.close())
  return host
}

async function sent(gateway: GatewayUnderTest, fields: Readonly<Record<string, unknown>> = {}): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes(fields))
  return client
}

async function whole(client: RawClient): Promise<HttpMessage> {
  const answer = await client.response()
  await answer.over()
  return answer
}

function expectUnreachable(answer: HttpMessage): void {
  expect(answer.status).toBe(503)
  expect(errorOf(answer)).toMatchObject({ code: 'no_upstream_available', type: 'overloaded_error' })
  expect(Number(answer.header('retry-after'))).toBeGreaterThan(0)
}

/** Sockets get their turns while the clock stands. */
async function turns(): Promise<void> {
  for (let count = 0; count < 200; count++) await turn()
}

/** Moves time on to the end of the attempt, in steps that let sockets and promises keep up. */
async function attempted(clock: FakeClock, gateway: GatewayUnderTest): Promise<void> {
  for (let step = 0; step < 100 && gateway.outcomes().length < 2; step++) {
    await turns()
    await clock.advance(500)
  }
}
