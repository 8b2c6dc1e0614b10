/** X10: nothing that a client or an operator's form says leads the gateway to an address that the configuration does not have. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, wholeRequest } from '../../kit/chaos-host.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { jsonRequestBytes, jsonResponseBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { becomesTrue, eventually } from '../../kit/within.ts'
import { chatAnswer, model } from './scene.ts'

/** Another machine's address, as far as the gateway can tell. */
const elsewhere = '127.0.0.3'

interface Stub {
  readonly url: string
  readonly port: number
  readonly connections: () => number
}

/** Counts whoever comes; everything is answered as a host would. */
async function startStub(port = 0): Promise<Stub> {
  let connections = 0
  const server: Server = createServer((_request, response) =>
    response.end(JSON.stringify({ object: 'list', data: [{ id: model }] })),
  )
  server.on('connection', () => void connections++)
  await new Promise<void>((resolve) => void server.listen(port, elsewhere, resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  const { port: taken } = server.address() as AddressInfo
  return { url: `http://${elsewhere}:${taken}`, port: taken, connections: () => connections }
}

async function startHost(): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('yes')) as object))
  return host
}

async function started(
  host: ChaosHost,
  config: Omit<Parameters<typeof startGateway>[0], 'hosts'> = {},
  parts: Parameters<typeof startGateway>[1] = {},
): Promise<GatewayUnderTest> {
  const hosts = [{ name: 'a', url: host.url, kind: 'openai' as const, slots: 4 }]
  const gateway = await startGateway({ hosts, ...config }, parts)
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return gateway
}

async function raw(gateway: GatewayUnderTest, bytes: Uint8Array | string): Promise<number> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(bytes)
  const answer = await client.response()
  await answer.over()
  return answer.status
}

test('X10: fields, headers and parameters of a client choose no destination', async () => {
  const stub = await startStub()
  const host = await startHost()
  const gateway = await started(host)
  const { url } = stub
  const chat = { model, messages: [{ role: 'user', content: 'hi' }] }
  const path = '/v1/chat/completions'
  const fields = {
    api_base: url,
    base_url: url,
    baseURL: url,
    api_host: url,
    endpoint: url,
    proxy: url,
    proxies: { http: url, https: url },
    host: url,
    extra_headers: { host: `${elsewhere}:${stub.port}`, 'x-forwarded-host': url },
    extra_body: { api_base: url },
    metadata: { api_base: url },
    callback_url: url,
    webhook: url,
  }
  const headers = {
    'x-lmx-gateway-host': url,
    'x-forwarded-host': `${elsewhere}:${stub.port}`,
    'x-forwarded-server': elsewhere,
    'x-original-url': url,
    'x-upstream': url,
    'x-portkey-custom-host': url,
    'x-api-base': url,
    'helicone-openai-api-base': url,
    forwarded: `host=${elsewhere}:${stub.port};proto=http`,
    'x-http-host-override': `${elsewhere}:${stub.port}`,
  }
  const requests: readonly (Uint8Array | string)[] = [
    ...Object.entries(fields).map(([name, value]) => jsonRequestBytes(path, { ...chat, [name]: value })),
    ...Object.entries(headers).map(([name, value]) => jsonRequestBytes(path, chat, { [name]: value })),
    ...Object.entries(fields).map(([name]) => jsonRequestBytes(`${path}?${name}=${encodeURIComponent(url)}`, chat)),
    // In absolute form, as a proxy would be asked; and under the name of the other machine.
    jsonRequestBytes(`${url}${path}`, chat),
    jsonRequestBytes(path, chat, { host: `${elsewhere}:${stub.port}` }),
    jsonRequestBytes(path, { ...chat, model: url }),
    jsonRequestBytes(path, { ...chat, model: `${url}/${model}` }),
    jsonRequestBytes(path, {
      ...chat,
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }] }],
    }),
    `CONNECT ${elsewhere}:${stub.port} HTTP/1.1\r\nhost: ${elsewhere}:${stub.port}\r\nconnection: close\r\n\r\n`,
  ]
  const statuses = new Set<number>()
  for (const bytes of requests) statuses.add(await raw(gateway, bytes).catch(() => 0))
  expect([...statuses]).toContain(200)
  expect(host.exchanges.length).toBeGreaterThan(30)
  expect(stub.connections()).toBe(0)
})

test('X10: a host that sends elsewhere is not followed, not by a request and not by a probe', async () => {
  const stub = await startStub()
  const moved = { location: `${stub.url}/v1/chat/completions` }
  const host = await startHost()
  host.play(wholeRequest, jsonResponseBytes(307, { error: { message: 'moved' } }, moved))
  const gateway = await started(host)
  const answer = await raw(
    gateway,
    jsonRequestBytes('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hi' }] }),
  )
  expect(answer).toBe(502)
  expect(stub.connections()).toBe(0)
})

async function added(gateway: GatewayUnderTest, body: object): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${gateway.adminUrl}/admin/hosts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${gateway.adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, text: await answer.text() }
}

test('X10: hosts are added in configured networks alone, however an address is spelt', async () => {
  const stub = await startStub()
  const { port } = stub
  const closed = await started(await startHost())
  const refused = await added(closed, { url: stub.url })
  expect(refused.status).toBe(403)
  expect(refused.text).toContain('admin.hostNetworks')

  const gateway = await started(await startHost(), { admin: { hostNetworks: ['127.0.0.1/32', 'fd00::/8'] } })
  for (const url of [
    stub.url,
    `http://0x7f000003:${port}`,
    `http://2130706435:${port}`,
    `http://127.3:${port}`,
    `http://[::ffff:127.0.0.3]:${port}`,
    `http://[::1]:${port}`,
    `http://169.254.169.254/`,
    `http://0.0.0.0:${port}`,
  ]) {
    expect({ url, status: (await added(gateway, { url })).status }).toEqual({ url, status: 403 })
  }
  for (const body of [
    { url: `http://127.0.0.1:${port}`, api_base: stub.url },
    { url: `http://127.0.0.1:${port}`, proxy: stub.url },
    { url: `http://127.0.0.1:${port}`, ca: '/etc/passwd' },
    { url: `http://user:secret@127.0.0.1:${port}` },
    { url: `file:///etc/passwd` },
  ]) {
    const answer = await added(gateway, body)
    expect(answer.status).toBe(400)
    expect(answer.text).not.toContain('secret')
  }
  expect(await gateway.admin('GET', '/admin/hosts')).toMatchObject({ hosts: [{ name: 'a' }] })
  expect(stub.connections()).toBe(0)
})

test('X10: a name is looked at where it leads when it is connected to, and not when it was added', {
  timeout: 60_000,
}, async () => {
  const host = await ChaosHost.start({ models: ['n'], closesAfterGet: true })
  onTestFinished(() => host.close())
  host.playAlways(
    wholeRequest,
    jsonResponseBytes(200, JSON.parse(chatAnswer('yes')) as object, { connection: 'close' }),
  )
  const { port } = new URL(host.url)
  const stub = await startStub(Number(port))
  const leadsTo = { addresses: ['127.0.0.1'] }
  const gateway = await started(
    await startHost(),
    { admin: { hostNetworks: ['127.0.0.1'] }, probe: { everyMs: 100 } },
    {
      resolveName: (_name, answer) =>
        answer(
          null,
          leadsTo.addresses.map((address) => ({ address, family: 4 })),
        ),
    },
  )
  const key = 'key-of-the-host-1234'
  const answer = await added(gateway, { name: 'late', url: `http://rebound.test:${port}`, kind: 'openai', apiKey: key })
  expect(answer.status).toBe(201)
  expect(answer.text).not.toContain(key)
  const ask = () =>
    raw(gateway, jsonRequestBytes('/v1/chat/completions', { model: 'n', messages: [{ role: 'user', content: 'hi' }] }))
  await becomesTrue(20_000, 'the host to be served', async () => (await ask()) === 200)
  expect(await gateway.metric('host_up', { host: 'late' })).toBe(1)

  leadsTo.addresses = [elsewhere]
  const served = host.soundRequests.length
  await becomesTrue(
    20_000,
    'the host to be down',
    async () => (await gateway.metric('host_up', { host: 'late' })) === 0,
  )
  expect(await ask()).toBe(503)
  expect(JSON.stringify(await gateway.admin('GET', '/admin/hosts'))).toContain('no address inside admin.hostNetworks')

  // Of several addresses only those that it may have are tried.
  leadsTo.addresses = [elsewhere, '127.0.0.1']
  await eventually(20_000, 'a probe of the address that it may have', () => host.soundRequests.length > served + 2)
  await becomesTrue(20_000, 'the host to be served again', async () => (await ask()) === 200)
  expect(stub.connections()).toBe(0)
  expect(JSON.stringify(gateway.log)).not.toContain(key)
  expect(JSON.stringify(await gateway.admin('GET', '/admin/audit'))).not.toContain(key)
})
