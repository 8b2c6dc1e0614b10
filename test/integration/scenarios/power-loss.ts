/**
 * A gateway and its host on two machines, as far as the kernel can tell, and the cable between them is pulled:
 * `unshare -rn node power-loss.ts stream|whole` prints what became of the request as one line of JSON.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { jsonRequestBytes } from '../../kit/http-bytes.ts'
import { promptCanary } from '../../kit/prompt-canary.ts'
import { RawClient } from '../../kit/raw-client.ts'

export interface PowerLossReport {
  readonly status: number
  readonly cut: boolean
  readonly text: string
  readonly outcome: Readonly<Record<string, unknown>>
  /** As a probe has it, some time after. */
  readonly hostUp: number | undefined
  /** The end of the gateway as a process would leave it: its metrics once it was at rest, and its log. */
  readonly page: string
  readonly log: string
  readonly usageRecords: number
  /** Connections to the host that were never given up. */
  readonly connections: number
}

const gatewayAddress = '10.77.0.1'
const hostAddress = '10.77.0.2'
const port = 8_000
const content = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' }
const frame = `data: ${JSON.stringify({ ...content, choices: [{ index: 0, delta: { content: 'x' } }] })}\n\n`

const ip = (...args: string[]) => execFileSync('ip', args)
const inside = (pid: number, ...args: string[]) => execFileSync('nsenter', ['-t', String(pid), '-n', 'ip', ...args])

/** Streams for ever what is asked as a stream, and never answers anything else. */
async function serve(): Promise<void> {
  const server = createServer((request, response) => {
    if (request.method === 'GET') response.end(JSON.stringify({ object: 'list', data: [{ id: 'm', object: 'model' }] }))
    else void respond(request, response)
  })
  server.listen(port, '0.0.0.0')
  await once(server, 'listening')
  process.stdout.write('listening\n')
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (!(await text(request)).includes('"stream":true')) return
  response.setHeader('content-type', 'text/event-stream')
  while (!response.destroyed) {
    response.write(frame)
    await sleep(20)
  }
}

/** The host's process, in a network of its own that one cable joins to ours. */
async function startHost(): Promise<{ pid: number; pullCable: () => void; stop: () => void }> {
  const self = fileURLToPath(import.meta.url)
  const host = spawn('unshare', ['-n', process.execPath, self, 'host'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const { pid } = host
  if (pid === undefined) throw new Error('the host was never started')
  await once(host.stdout, 'data')
  ip('link', 'set', 'lo', 'up')
  ip('link', 'add', 'ours', 'type', 'veth', 'peer', 'name', 'theirs')
  ip('link', 'set', 'theirs', 'netns', String(pid))
  ip('addr', 'add', `${gatewayAddress}/24`, 'dev', 'ours')
  ip('link', 'set', 'ours', 'up')
  inside(pid, 'addr', 'add', `${hostAddress}/24`, 'dev', 'theirs')
  inside(pid, 'link', 'set', 'theirs', 'up')
  return {
    pid,
    pullCable: () => void inside(pid, 'link', 'set', 'theirs', 'down'),
    stop: () => void host.kill('SIGKILL'),
  }
}

/** Those that are established, as the kernel of this side has them. */
function connectionsToHost(): number {
  const reversed = hostAddress.split('.').toReversed()
  const hex = reversed.map((part) => Number(part).toString(16).padStart(2, '0')).join('')
  const peer = `${hex}:${port.toString(16).padStart(4, '0')}`.toUpperCase()
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n')
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote, state]) => remote === peer && state === '01').length
}

async function lose(stream: boolean): Promise<PowerLossReport> {
  const host = await startHost()
  await using gateway = await startGateway({
    hosts: [{ name: 'a', url: `http://${hostAddress}:${port}`, kind: 'openai' }],
    probe: { everyMs: 200, timeoutMs: 500, fall: 2 },
    relay: { contentGapMsMax: 1_000 },
  })
  try {
    const client = await RawClient.open(gateway.port)
    const messages = [{ role: 'user', content: promptCanary }]
    await client.send(jsonRequestBytes('/v1/chat/completions', { model: 'm', stream, messages }))
    const begun = stream ? await client.response() : null
    if (begun !== null) await begun.has(frame)
    else while ((await gateway.metric('host_inflight', { host: 'a' })) !== 1) await sleep(10)
    // The request has left this machine, too.
    await sleep(100)
    host.pullCable()
    const [line] = await gateway.outcomesOnce(1, 60_000)
    const answer = begun ?? (await client.response())
    await answer.over()
    for (let time = 0; time < 100 && (await gateway.metric('host_up', { host: 'a' })) !== 0; time++) await sleep(50)
    // A probe's own may be among them for a moment.
    for (let time = 0; time < 100 && connectionsToHost() > 0; time++) await sleep(20)
    return {
      status: answer.status,
      cut: answer.cut,
      text: answer.text,
      outcome: line?.fields ?? {},
      hostUp: await gateway.metric('host_up', { host: 'a' }),
      page: await gateway.metrics(),
      log: gateway.log
        .map(({ level, message, fields }) => `${JSON.stringify({ level, msg: message, ...fields })}\n`)
        .join(''),
      usageRecords: gateway.usage.length,
      connections: connectionsToHost(),
    }
  } finally {
    host.stop()
  }
}

const [role] = process.argv.slice(2)
if (role === 'host') await serve()
else {
  process.stdout.write(`${JSON.stringify(await lose(role === 'stream'))}\n`, () => process.exit())
}
