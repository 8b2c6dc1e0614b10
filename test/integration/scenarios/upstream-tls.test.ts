/** Hosts over TLS: trusted by the authority that the configuration names, and refused, before a byte is sent, when anything is wrong. */
import { expect, onTestFinished, test } from 'vitest'
import { Transport } from '../../../src/hosts/transport.ts'
import type { TransportFailure } from '../../../src/hosts/transport-failure.ts'
import { certificateFolder } from '../../kit/certificate-files.ts'
import { authority, certificate } from '../../kit/certificates.ts'
import { ChaosHost, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { keepAliveMs } from '../../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { TlsFront, type Welcome } from '../../kit/tls-front.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, expectQuiet, finishFrame, model } from './scene.ts'

const ca = authority()
const subjects = { by: ca, for: ['127.0.0.1', 'localhost'] }
const good = certificate('host', subjects)
const dayMs = 86_400_000
const connectMsMax = 300

const faults: Readonly<Record<string, Welcome>> = {
  expired: certificate('host', {
    ...subjects,
    from: new Date(Date.now() - 30 * dayMs),
    until: new Date(Date.now() - dayMs),
  }),
  'not valid yet': certificate('host', { ...subjects, from: new Date(Date.now() + dayMs) }),
  'for another name': certificate('host', { by: ca, for: ['other.test', '127.0.0.2'] }),
  'self-signed': certificate('host', { for: ['127.0.0.1'] }),
  'of another authority': certificate('host', { ...subjects, by: authority('another') }),
  'of an authority that only calls itself like ours': certificate('host', { ...subjects, by: authority(ca.name) }),
  'a handshake that stalls': 'silence',
  'a plain port': 'plain HTTP',
}

interface Secured {
  readonly host: ChaosHost
  readonly front: TlsFront
  readonly input: { name: string; url: string; kind: 'openai'; keepAliveMs: number; ca?: string }
}

/** Each begins with a good certificate, or no gateway would take the host for one. */
async function secured(
  name: string,
  options: { trusted?: boolean; models?: readonly string[] } = {},
): Promise<Secured> {
  const { trusted = true, models = [model] } = options
  const host = await ChaosHost.start({ models })
  onTestFinished(() => host.close())
  const front = await TlsFront.before(host.url, good)
  onTestFinished(() => front.close())
  const file = trusted ? { ca: certificateFolder().write('ca.pem', ca.cert) } : {}
  return { host, front, input: { name, url: front.url, kind: 'openai', keepAliveMs, ...file } }
}

const started = (hosts: readonly Secured[]): Promise<GatewayUnderTest> =>
  startGateway({
    hosts: hosts.map(({ input }) => input),
    probe: { everyMs: 600_000 },
    relay: { connectMsMax },
  })

async function asked(gateway: GatewayUnderTest, fields: Readonly<Record<string, unknown>> = {}): Promise<HttpMessage> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes(fields))
  const answer = await client.response(20 * connectMsMax)
  await answer.over()
  return answer
}

test('U49: with the authority that the configuration names a host answers over TLS, whole and in streams', async () => {
  const secure = await secured('a')
  await using gateway = await started([secure])
  secure.host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('over TLS'))))
  expect((await asked(gateway)).text).toBe(chatAnswer('over TLS'))
  const frames = [contentFrame('x'), finishFrame, done]
  secure.host.play(wholeRequest, sseHeadBytes(), ...frames.map(chunkBytes), finalChunk)
  expect((await asked(gateway, { stream: true })).text).toBe(frames.join(''))
  await expectQuiet(gateway, { requests: 2 })
})

test('U49: without it the same host is no host, and its report says what to do', async () => {
  const secure = await secured('a', { trusted: false })
  await using gateway = await started([secure])
  const [report] = await gateway.gateway.firstProbes()
  expect(report?.problem).toContain('name that authority as ca of the host')
  expect(secure.front.met).toBeGreaterThan(0)
  expect(secure.front.trusted).toBe(0)
  expect((await asked(gateway)).status).toBe(503)
  expect(secure.host.soundRequests).toEqual([])
  await expectQuiet(gateway, { requests: 1 })
})

test.each(Object.entries(faults))('U49: %s: alone 502, and the host is sent nothing', async (_name, fault) => {
  const secure = await secured('a')
  await using gateway = await started([secure])
  secure.front.change(fault)
  for (let turn = 1; turn <= 2; turn += 1) {
    const answer = await asked(gateway)
    expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_tls_error'])
    const { fields } = (await gateway.outcomesOnce(turn))[turn - 1]!
    expect(fields).toMatchObject({ status: 502, end: 'UC', attempts: 1, tokensIn: 0, tokensOut: 0 })
  }
  expect(secure.front.met).toBeGreaterThanOrEqual(2)
  expect(secure.front.trusted).toBe(0)
  expect(secure.host.exchanges).toHaveLength(0)
  await expectQuiet(gateway, { requests: 2 })
})

test.each(Object.entries(faults))('U49: %s: another host answers', async (_name, fault) => {
  const bad = await secured('a')
  const other = await secured('b', { models: [model, 'only-b'] })
  await using gateway = await started([bad, other])
  // One stream keeps b busy, so that the host with the fewest requests is the bad one, which is chosen first.
  other.host.play(sseHeadBytes(), chunkBytes(contentFrame('x')), pause, chunkBytes(finishFrame + done), finalChunk)
  other.host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('from b'))))
  const busy = asked(gateway, { model: 'only-b', stream: true })
  await (await other.host.exchange()).paused()
  bad.front.change(fault)
  const answer = await asked(gateway)
  expect([answer.status, answer.text]).toEqual([200, chatAnswer('from b')])
  expect(answer.header('x-lmx-gateway-host')).toBe('b')
  expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
  await (await other.host.exchange()).step()
  expect((await busy).complete).toBe(true)
  expect(bad.front.met).toBeGreaterThan(0)
  expect(bad.front.trusted).toBe(0)
  expect(bad.host.exchanges).toHaveLength(0)
  await expectQuiet(gateway, { requests: 2 })
})

test.each(Object.entries(faults))(
  'U49: %s: refused also where the environment turns the check off',
  async (name, fault) => {
    const secure = await secured('a')
    secure.front.change(fault)
    const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      for (const fresh of [false, true]) {
        const failure = await failed(secure.front.url, fresh)
        expect(failure, name).toMatchObject({ kind: 'tls', answered: false, reusedSocket: false })
      }
    } finally {
      if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
      else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before
    }
    expect(secure.front.trusted).toBe(0)
  },
)

test('U49: a host that hangs up in the handshake could not be reached', async () => {
  const secure = await secured('a')
  secure.front.change('hang-up')
  expect(await failed(secure.front.url, false)).toMatchObject({ kind: 'connect', code: 'ECONNRESET' })
})

/** How a request to the host fails. */
async function failed(url: string, fresh: boolean): Promise<TransportFailure> {
  const transport = new Transport(url, { connectMsMax, authorities: ca.cert })
  onTestFinished(() => transport.close())
  const { promise, resolve, reject } = Promise.withResolvers<TransportFailure>()
  const none = () => {}
  const events = { connected: none, data: none, end: none, head: () => reject(new Error('it answered')) }
  const request = { method: 'GET', path: '/v1/models', headers: {}, body: null } as const
  transport.send(request, { ...events, failed: resolve }, { fresh })
  return within(20 * connectMsMax, 'the failure', promise)
}
