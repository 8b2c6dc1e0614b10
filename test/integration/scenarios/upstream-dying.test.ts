/** Hosts that are killed, freeze, or lose their power while they answer. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { ChildHost } from '../../kit/child-host.ts'
import { RunningProcess, repositoryRoot } from '../../kit/child-process.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { expectSoundEnd } from '../../kit/process-end.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { eventually } from '../../kit/within.ts'
import type { PowerLossReport } from './power-loss.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, expectQuiet, finishFrame } from './scene.ts'

const streams = 20
/** Answers that go on until the host is ended. */
const endless = ['--slots', String(streams), '--tps', '100', '--ttft-ms', '10', '--batch-slowdown', '0']
const endlessAnswer = { max_tokens: 1_000_000, stream: true }
const goneModel = 'gone'
const bothModel = 'both'

interface Fleet {
  readonly gateway: GatewayUnderTest
  readonly child: ChildHost
  readonly other: ChaosHost
}

/** One model at a host that will not last and at another one, one model at each of them alone. */
async function fleet(config: Omit<Parameters<typeof startGateway>[0], 'hosts'>): Promise<Fleet> {
  const child = await ChildHost.start([...endless, '--model', goneModel, '--model', bothModel])
  onTestFinished(() => child[Symbol.asyncDispose]())
  const other = await ChaosHost.start({ models: [bothModel, 'only-b'] })
  onTestFinished(() => other.close())
  const hosts = [
    { name: 'child', url: child.url, kind: 'lmx' as const, slots: streams },
    { name: 'b', url: other.url, kind: 'openai' as const },
  ]
  const gateway = await startGateway({ hosts, ...config })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { gateway, child, other }
}

test(`U45: a host that dies with ${streams} streams: each client is told, and the next request goes elsewhere`, async () => {
  const { gateway, child, other } = await fleet({ probe: { everyMs: 600_000 } })
  const answers = await Promise.all(Array.from({ length: streams }, () => streamOf(gateway, goneModel)))
  await child.kill()
  for (const answer of answers) {
    await answer.over()
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.text).not.toContain('[DONE]')
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_disconnected', type: 'upstream_error' })
  }
  for (const line of await gateway.outcomesOnce(streams)) {
    expect(line.fields).toMatchObject({ end: 'UD', host: 'child', attempts: 1, usage: 'counted' })
    expect(Number(line.fields['tokensOut'])).toBeGreaterThan(0)
  }
  other.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('from b'))))
  for (let time = 0; time < 4; time++) {
    const next = await whole(await sent(gateway, { model: bothModel }))
    expect([next.status, next.header('x-lmx-gateway-host')]).toEqual([200, 'b'])
  }
  expect((await whole(await sent(gateway, { model: goneModel }))).status).toBe(503)
  await expectQuiet(gateway, { requests: streams + 5 })
})

test('U48: a host that freezes loses its streams to the clock, and no other host is touched', async () => {
  const frozenStreams = 5
  const { gateway, child, other } = await fleet({
    probe: { everyMs: 100, timeoutMs: 1_000, fall: 2 },
    relay: { contentGapMsMax: 1_500 },
  })
  other.play(wholeRequest, sseHeadBytes(), pause)
  const going = await sent(gateway, { model: 'only-b', stream: true })
  const exchange = await other.exchange()
  await exchange.paused()
  const frozen = await Promise.all(Array.from({ length: frozenStreams }, () => streamOf(gateway, goneModel)))
  child.freeze()
  // The other host's stream goes on all the while.
  const frames: string[] = []
  const goOn = async () => {
    const frame = contentFrame(`${frames.length}`)
    frames.push(frame)
    await exchange.connection.write(chunkBytes(frame))
    await sleep(10)
  }
  while (gateway.outcomes().length < frozenStreams && frames.length < 1_000) await goOn()
  for (const answer of frozen) {
    await answer.over()
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_stalled', type: 'timeout_error' })
  }
  for (const line of gateway.outcomes()) expect(line.fields).toMatchObject({ end: 'uD', host: 'child' })
  // Its kernel takes connections still, so that only the probe can tell.
  while ((await gateway.metric('host_up', { host: 'child' })) !== 0 && frames.length < 2_000) await goOn()
  other.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('from b'))))
  expect((await whole(await sent(gateway, { model: bothModel }))).header('x-lmx-gateway-host')).toBe('b')
  await exchange.connection.write(chunkBytes(finishFrame + done))
  await exchange.connection.write(finalChunk)
  const answer = await whole(going)
  expect(answer).toMatchObject({ status: 200, complete: true })
  expect(answer.text).toBe(frames.join('') + finishFrame + done)
  await exchange.step()
  child.thaw()
  await expectQuiet(gateway, { requests: frozenStreams + 2 })
}, 30_000)

/** Two networks with a cable between them are Linux's, and for whoever may make them. */
const canPullCables =
  process.platform === 'linux' && spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'up']).status === 0
const powerLossScript = fileURLToPath(new URL('power-loss.ts', import.meta.url))

async function powerLost(form: 'stream' | 'whole'): Promise<PowerLossReport> {
  const args = ['-rn', process.execPath, powerLossScript, form]
  await using run = new RunningProcess('unshare', args, { cwd: repositoryRoot })
  return JSON.parse(await run.said(/^\{.*\}$/m, 60_000)) as PowerLossReport
}

function expectQuietEnd(end: Pick<PowerLossReport, 'page' | 'log' | 'usageRecords' | 'connections'>): void {
  expectSoundEnd({ page: end.page, out: '', err: end.log }, { requests: 1 })
  expect({ records: end.usageRecords, connections: end.connections }).toEqual({ records: 1, connections: 0 })
}

test.skipIf(!canPullCables)(
  'U47: a host that loses its power sends no FIN: the clock ends its stream, and a probe tells',
  async () => {
    const { status, cut, text, outcome, hostUp, ...end } = await powerLost('stream')
    expect({ status, cut, hostUp }).toEqual({ status: 200, cut: true, hostUp: 0 })
    expect(text).toMatch(/data: \{"error":\{.*"code":"upstream_stalled"\}\}\n\n$/)
    expect(outcome).toMatchObject({ end: 'uD', attempts: 1, usage: 'counted' })
    expectQuietEnd(end)
  },
  90_000,
)

// Half a minute of silence, which no limit of ours ends.
if (process.env['TEST_LONG'] === 'true') {
  test.skipIf(!canPullCables)(
    'U47: an answer that is not streamed does not wait ten minutes for a host without power: the system asks, and nobody is there',
    async () => {
      const { status, outcome, hostUp, ...end } = await powerLost('whole')
      expect({ status, hostUp }).toEqual({ status: 502, hostUp: 0 })
      expect(outcome).toMatchObject({ end: 'UH', error: 'upstream_disconnected', attempts: 1 })
      expectQuietEnd(end)
    },
    90_000,
  )
}

// Elsewhere the system does not tell.
test.skipIf(process.platform !== 'linux')('U47: the system watches over every connection to a host', async () => {
  const { gateway, other } = await fleet({ probe: { everyMs: 600_000 } })
  other.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('x')), pause)
  const client = await sent(gateway, { model: 'only-b', stream: true })
  await (await client.response()).has('"x"')
  const hostPort = Number(new URL(other.url).port)
  // While bytes are under way the connection has another timer.
  await eventually(5_000, 'the timer of keep-alive', () => keepAliveMsLeft(hostPort).every(Number.isFinite))
  const timers = keepAliveMsLeft(hostPort)
  expect(timers).toHaveLength(1)
  expect(timers[0]).toBeLessThanOrEqual(15_000)
  client.close()
  const exchange = await other.exchange()
  await exchange.peerLeft()
  await exchange.step()
  await expectQuiet(gateway, { requests: 1 })
})

/** Of the connections of this machine to the port: after how much silence the system asks the peer; Infinity where it never does. */
function keepAliveMsLeft(port: number): number[] {
  const peer = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const established = '01'
  const keepAliveTimer = '02'
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => remote === peer && state === established)
    .map(([, , , , , timer = '']) => {
      const [kind, ticks = ''] = timer.split(':')
      // In hundredths of a second, whatever the kernel's own clock is.
      return kind === keepAliveTimer ? Number.parseInt(ticks, 16) * 10 : Number.POSITIVE_INFINITY
    })
}

async function sent(gateway: GatewayUnderTest, fields: Readonly<Record<string, unknown>>): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes(fields))
  return client
}

/** A stream that has begun to tell. */
async function streamOf(gateway: GatewayUnderTest, model: string): Promise<HttpMessage> {
  const client = await sent(gateway, { model, ...endlessAnswer })
  const answer = await client.response()
  await answer.has('"content"')
  return answer
}

async function whole(client: RawClient): Promise<HttpMessage> {
  const answer = await client.response()
  await answer.over()
  return answer
}
