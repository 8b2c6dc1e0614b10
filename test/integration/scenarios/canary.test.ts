/**
 * Secrets, prompts and answers are planted in everything that a client, an operator or a host can say, with failures of
 * every kind, at the log level that tells most; then nothing that the gateway writes or shows may have one of them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { adminRoutes } from '../../../src/http/admin/routes.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { ChaosHost, wholeRequest } from '../../kit/chaos-host.ts'
import { launchScript, RunningProcess } from '../../kit/child-process.ts'
import { type Headers, jsonRequestBytes, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import { entriesOf } from '../../kit/process-end.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { hasRedis, startRedis } from '../../kit/redis.ts'
import { scratchFolder } from '../../kit/stored-rows.ts'
import { eventually } from '../../kit/within.ts'
import { failingPlays, inTextPlays, requestOf } from './canary-endpoints.ts'
import { canariesOf, filesOf, type Keys, leaksOf, type Told } from './canary-sinks.ts'
import { answer, chat, hostPlays, prompt, secret } from './canary-words.ts'
import { model } from './scene.ts'

const lmxModel = 'org/l'
const lmxPages = {
  '/healthz': { status: 'ok', version: '0.1.0' },
  '/.well-known/opta-lmx': { service: 'opta-lmx', in_flight_requests: 0 },
}

class Play {
  /** What was shown to who may not see it. */
  readonly shown: Told[] = []
  requests = 0
  readonly port: number
  readonly adminPort: number

  constructor(port: number, adminPort: number) {
    this.port = port
    this.adminPort = adminPort
  }

  /** The answer, which is kept where it is a refusal or `isSink`. */
  async ask(
    bytes: Buffer | string,
    { port = this.port, isSink = false, leaves = false, own = false } = {},
  ): Promise<{ status: number; text: string }> {
    const client = await RawClient.open(port)
    try {
      await client.send(bytes)
      const got = await client.response(20_000)
      if (leaves) return { status: got.status, text: '' }
      await got.over(20_000)
      const head = JSON.stringify([got.startLine, got.headers])
      const lastFrame = /data: \{(?:"type":"error",)?"error":.*\}\n\n$/.exec(got.text)?.[0] ?? ''
      if (got.status >= 400 || isSink)
        this.shown.push({ what: `${String(bytes).slice(0, 60)} -> ${got.status}`, text: head + got.text, own })
      else this.shown.push({ what: `${String(bytes).slice(0, 60)} -> ${got.status}`, text: head + lastFrame, own })
      return { status: got.status, text: got.text }
    } finally {
      client.close()
    }
  }
}

/** A chat as a client writes it that puts what is secret wherever it can. */
function chatBytesOf(key: string, fields: object = {}, headers: Headers = {}): Buffer {
  return jsonRequestBytes(
    '/v1/chat/completions',
    { model, ...chat, ...fields },
    {
      authorization: `Bearer ${key}`,
      cookie: `session=${secret.cookie}`,
      'proxy-authorization': `Basic ${secret.proxy}`,
      'user-agent': prompt.header,
      'x-title': prompt.header,
      referer: `http://${prompt.header}/`,
      'openai-organization': prompt.header,
      'x-request-id': `${prompt.header} with a space`,
      ...headers,
    },
  )
}

async function clientsPlay(play: Play, host: ChaosHost, keys: Keys): Promise<void> {
  for (const [index, { script, stream = false, leaves = false }] of hostPlays.entries()) {
    const before = host.exchanges.length
    host.play(...script)
    const { status } = await play.ask(chatBytesOf(keys.good, { stream }), { leaves })
    expect(host.exchanges.length, `whether the host was asked in play ${index}, answered ${status}`).toBeGreaterThan(
      before,
    )
  }
  host.playAlways(wholeRequest, jsonResponseBytes(200, answer))
  const carriers: Headers[] = [
    { authorization: `Bearer ${keys.wrong}` },
    { authorization: `Bearer ${keys.revoked}` },
    { authorization: `Bearer ${secret.foreignKey}` },
    { authorization: `Basic ${secret.basic}` },
    { authorization: keys.good },
    { 'x-api-key': keys.wrong },
    { authorization: `Bearer ${keys.good}, Bearer ${keys.wrong}` },
  ]
  for (const headers of carriers) await play.ask(chatBytesOf(keys.good, {}, headers))
  for (const held of [keys.good, keys.wrong, keys.adminToken, keys.wrongAdminToken]) {
    await play.ask(chatBytesOf(keys.good, {}, { 'x-request-id': held }))
    await play.ask(chatBytesOf(keys.good, {}, { 'x-request-id': held.slice(0, 60) }))
    await play.ask(chatBytesOf(keys.good, { model: held }))
    await play.ask(chatBytesOf(keys.good, { model: `org/${held}` }))
    for (const target of [
      `/v1/models/${held}`,
      `/${held}`,
      `/v1/chat/completions?key=${held}`,
      `/healthz?token=${held}`,
      `//${held}`,
    ])
      await play.ask(requestBytes('GET', target, { authorization: `Bearer ${keys.good}` }))
  }
  await play.ask(chatBytesOf(keys.limited))
  await play.ask(chatBytesOf(keys.limited))
  const bearer = { authorization: `Bearer ${keys.good}` }
  const json = { 'content-type': 'application/json', ...bearer }
  for (const broken of [
    `{"model":"m","messages":"${prompt.broken}`,
    prompt.broken,
    `{"model":"m","n":"${prompt.broken}"}`,
    `{"model":"m","stream":"${prompt.broken}"}`,
    `{"model":{"${prompt.broken}":1}}`,
    `{"model":"m","${prompt.broken}"}`,
  ])
    await play.ask(requestBytes('POST', '/v1/chat/completions', json, broken))
  await play.ask(
    requestBytes('POST', '/v1/chat/completions', { 'content-type': `text/${prompt.broken}`, ...bearer }, prompt.broken),
  )
  await play.ask(chatBytesOf(keys.good, { padding: prompt.message.repeat(20_000) }))
  const part = (name: string, more: string, text: string) =>
    `--b\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`
  const form = `${part('model', '', model)}${part('prompt', '', prompt.message)}${part('file', `; filename="${prompt.fileName}.wav"`, prompt.audio)}--b--\r\n`
  for (const body of [form, form.slice(0, -8), form.replace(model, `m${keys.good}`)])
    await play.ask(
      requestBytes(
        'POST',
        '/v1/audio/transcriptions',
        { 'content-type': 'multipart/form-data; boundary=b', ...bearer },
        body,
      ),
    )
  const leaver = await RawClient.open(play.port)
  await leaver.send(chatBytesOf(keys.good).subarray(0, -10))
  leaver.close()
  await play.ask(`POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n${prompt.broken}\r\n\r\n`)
  await play.ask(`${keys.good} /v1/models HTTP/1.1\r\nhost: a\r\n\r\n`)
}

/** Every endpoint fails in every way, at a host of each of the two dialects of failing. */
async function endpointsPlay(play: Play, [plain, lmx]: readonly [ChaosHost, ChaosHost], keys: Keys): Promise<void> {
  const unasked: string[] = []
  for (const endpoint of endpoints) {
    const plays = [
      ...failingPlays(endpoint).map((failing) => ({ ...failing, host: plain, of: model })),
      ...inTextPlays(endpoint).map((failing) => ({ ...failing, host: lmx, of: lmxModel })),
    ]
    for (const { how, script, stream, own, host, of } of plays) {
      const before = host.exchanges.length
      host.play(...script)
      const { status } = await play.ask(requestOf(endpoint, of, keys.good, stream), { own })
      // Where it never came to the host, nothing was there to be leaked.
      if (host.exchanges.length === before) unasked.push(`${endpoint.name}, ${how}: ${status}`)
    }
  }
  expect(unasked).toEqual([])
}

async function operatorsPlay(play: Play, keys: Keys): Promise<void> {
  const port = play.adminPort
  const operator = { authorization: `Bearer ${keys.adminToken}`, cookie: secret.cookie }
  const wrong = [keys.good, keys.wrongAdminToken, secret.wrongToken, secret.metricsToken, secret.hostKey]
  for (const { method, path } of adminRoutes) {
    const target = path.replace(':id', 'limited')
    for (const token of wrong) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      await play.ask(requestBytes(method, target, headers, method === 'GET' ? '' : '{}'), { port })
    }
  }
  const bad: object[] = [
    { name: keys.good },
    { name: `x ${keys.wrong}` },
    { name: 'x', tags: { note: keys.good } },
    { name: 'x', team: keys.good },
    { name: 'x', models: [keys.adminToken] },
    { name: 'x', [keys.good]: 1 },
    { name: 'x', tags: { [keys.good.slice(0, 60)]: 'x' } },
    { name: 'x', expiresAt: keys.good },
    { name: 'x', limits: { [keys.good]: 1 } },
  ]
  for (const body of bad) await play.ask(jsonRequestBytes('/admin/keys', body, operator), { port })
  for (const target of [
    `/admin/keys/${keys.good}`,
    `/admin/usage?key=${keys.good}`,
    `/admin/usage?${keys.good}=1`,
    `/admin/${keys.good}`,
  ])
    await play.ask(requestBytes('GET', target, operator), { port })
  await play.ask(
    requestBytes('POST', '/admin/keys', { 'content-type': 'application/json', ...operator }, `{"name":"${keys.good}`),
    { port },
  )
}

/** Every page that an operator can ask for. */
async function pages(play: Play, keys: Keys): Promise<void> {
  const headers = { authorization: `Bearer ${keys.adminToken}` }
  const queries = ['by=', 'by=key,team,model,host,day', 'by=key,model&format=csv']
  const request = await lastRequest(play, headers)
  for (const { path } of adminRoutes.filter(({ method }) => method === 'GET')) {
    const targets =
      path === '/admin/usage'
        ? queries.map((query) => `${path}?${query}`)
        : [path.replace('requests/:id', `requests/${request}`).replace(':id', 'limited')]
    for (const target of targets) {
      const { status } = await play.ask(requestBytes('GET', target, headers), { port: play.adminPort, isSink: true })
      expect([target, status]).toEqual([target, 200])
    }
  }
}

async function lastRequest(play: Play, headers: Readonly<Record<string, string>>): Promise<string> {
  const { text } = await play.ask(requestBytes('GET', '/admin/requests?ended=1', headers), { port: play.adminPort })
  return (JSON.parse(text) as { ended: { id: string }[] }).ended[0]?.id ?? 'none'
}

const otherEnd = (text: string) => `${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`

async function makeKeys(adminPort: number, adminToken: string): Promise<Keys> {
  const ask = async (path: string, body: object): Promise<{ key: string }> => {
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
    const made = await fetch(`http://127.0.0.1:${adminPort}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    expect(made.ok, path).toBe(true)
    return (await made.json()) as { key: string }
  }
  const { key: good } = await ask('/admin/keys', { name: 'good' })
  const { key: limited } = await ask('/admin/keys', { name: 'limited', limits: { requestsPerDay: 1 } })
  const { key: revoked } = await ask('/admin/keys', { name: 'revoked' })
  await ask('/admin/keys/revoked/revoke', {})
  await ask('/admin/keys/good/rotate', {})
  return { good, limited, revoked, wrong: otherEnd(good), adminToken, wrongAdminToken: otherEnd(adminToken) }
}

test(
  'X09, X36: no secret, prompt, answer or argument of a tool is in any log line, page, metric, error, row or file, whatever fails and whoever asks',
  () => playAll(null),
  60_000,
)

test.skipIf(!hasRedis)(
  'X09, X36: nor in what several gateways share',
  async () => {
    const redis = await startRedis(['--user', 'gateway', 'on', `>${secret.redisPassword}`, '~*', '&*', '+@all'])
    onTestFinished(() => redis.close())
    const told = await redis.monitor()
    await playAll({ url: redis.url, told })
    // What may be shared is: it was all there to be found.
    expect(told()).toContain('limited')
    expect(told().length).toBeGreaterThan(100_000)
  },
  60_000,
)

interface Shared {
  readonly url: string
  /** All that Redis was told. */
  readonly told: () => string
}

async function playAll(shared: Shared | null): Promise<void> {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const lmx = await ChaosHost.start({ models: [lmxModel], get: lmxPages })
  onTestFinished(() => lmx.close())
  const config = {
    server: { port: 0 },
    admin: { port: 0, metricsToken: `${secret.metricsToken}-of-the-scraper` },
    log: { level: 'debug', format: 'json' },
    probe: { everyMs: 600_000 },
    relay: { bodyBytesMax: 200_000 },
    limits: { failedKeysPerMinute: 1_000_000 },
    // A host that fails again and again is asked all the same.
    health: { ejectMs: 1, slowStartMs: 0 },
    hosts: [
      { name: 'a', url: host.url, kind: 'openai', apiKey: secret.hostKey, slots: 4 },
      { name: 'l', url: lmx.url, kind: 'lmx', apiKey: secret.hostKey, slots: 4, streamUpstream: true },
    ],
    storage: shared === null ? {} : { redis: { url: shared.url, username: 'gateway', password: secret.redisPassword } },
  }
  writeFileSync(join(folder.path, 'gateway.yaml'), JSON.stringify(config))
  const args = [launchScript, '--config', join(folder.path, 'gateway.yaml'), '--store', folder.storePath]
  await using gateway = new RunningProcess(process.execPath, args, { cwd: folder.path })
  const port = Number(await gateway.said(/http:\/\/127\.0\.0\.1:(\d+)\/v1\n/))
  const adminPort = Number(await gateway.said(/http:\/\/127\.0\.0\.1:(\d+)\/metrics\n/))
  await gateway.said(/Try it|not reachable/)
  const tokenFile = join(folder.path, 'gateway-admin-token')
  const keys = await makeKeys(adminPort, readFileSync(tokenFile, 'utf8').trim())
  const play = new Play(port, adminPort)
  await endpointsPlay(play, [host, lmx], keys)
  await clientsPlay(play, host, keys)
  await operatorsPlay(play, keys)
  await eventually(
    20_000,
    'the log to tell of it',
    () => entriesOf(gateway.err).filter(({ msg }) => msg === 'request').length > 40,
  )
  await pages(play, keys)
  const whileRunning = filesOf(folder, tokenFile)
  gateway.signal('SIGTERM')
  expect(await gateway.end()).toEqual({ code: 0, signal: null })
  const canaries = canariesOf(keys, false)
  const canariesOfOthers = canariesOf(keys, true)
  expect(play.shown.length).toBeGreaterThan(100)
  const written: Told[] = [
    { what: 'stdout', text: gateway.out },
    ...gateway.err.split('\n').map((text) => ({ what: 'a line of the log', text })),
  ]
  if (shared !== null) written.push({ what: 'Redis', text: shared.told() })
  const sinks = [...play.shown, ...written, ...whileRunning, ...filesOf(folder, tokenFile)]
  expect(sinks.flatMap((sink) => leaksOf(sink.own === true ? canariesOfOthers : canaries, sink))).toEqual([])
  // What may be kept is: it was all there to be found.
  expect(JSON.stringify(whileRunning)).toContain('limited')
  expect(entriesOf(gateway.err).filter((entry) => 'said' in entry).length).toBeGreaterThan(endpoints.length * 5)
}
