/**
 * Does the gateway do its main job on the Node that runs this? `node test/bin/smoke.ts [entry]` starts it before a
 * double of LMX, makes a key, streams one chat with it, reads metrics and ledger and stops it; `entry` is src/launch.js
 * or that of a package.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Changes } from '../kit/changes.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

const launcher = fileURLToPath(new URL('../../src/launch.js', import.meta.url))
const entry = resolve(process.argv[2] ?? launcher)
const model = 'org/smoke'
const answerTokens = 20
const folder = mkdtempSync(join(tmpdir(), 'lmx-gateway-smoke-'))
const store = ['--store', join(folder, 'gateway.db')]

process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  const host = await startLmxDouble({ models: [model], answerTokens })
  const gateway = startGateway(host.url)
  try {
    await smoke(host, gateway)
    console.log(`smoke on Node ${process.version}: passed`)
    return true
  } catch (error) {
    console.log(`smoke on Node ${process.version}: failed`, error, `\noutput of the gateway:\n${gateway.output}`)
    return false
  } finally {
    gateway.process.kill('SIGKILL')
    await host.stop()
    rmSync(folder, { recursive: true })
  }
}

async function smoke(host: LmxDouble, { process: running, untilOutput, told }: GatewayProcess): Promise<void> {
  const output = await untilOutput('Try it:')
  const clientUrl = /for clients\s+(\S+)/.exec(output)?.[1]
  const metricsUrl = /metrics\s+(\S+)/.exec(output)?.[1]
  if (clientUrl === undefined || metricsUrl === undefined) throw new Error('the addresses are not in the output')

  const chat = {
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: [{ role: 'user', content: 'x' }],
  }
  const key = command('keys', 'create', '--name', 'smoke', ...store).trim()
  const bearer = { authorization: `Bearer ${key}` }
  // The gateway looks for changes a few times in a second.
  const known = async (): Promise<boolean> => (await get(`${clientUrl}/models`, { headers: bearer })).status === 200
  for (let look = 0; look < 100 && !(await known()); look += 1) await pause(100)
  const answer = await get(`${clientUrl}/chat/completions`, { headers: bearer, body: JSON.stringify(chat) })
  expectThat(answer.status === 200, `status ${answer.status}: ${answer.body}`)
  expectThat(answer.body.endsWith('data: [DONE]\n\n'), `no [DONE]: ${answer.body}`)
  expectThat(
    contentFrames(answer.body) === answerTokens,
    `${contentFrames(answer.body)} content frames: ${answer.body}`,
  )
  expectThat(host.inferenceRequests.length === 1, `${host.inferenceRequests.length} requests reached the host`)

  const metrics = await get(metricsUrl)
  expectThat(metrics.status === 200, `metrics: ${metrics.status}`)
  expectThat(/^lmx_gateway_requests_total\{.*\} 1$/m.test(metrics.body), `the request is not counted: ${metrics.body}`)

  const refused = await get(`${clientUrl}/chat/completions`, { body: JSON.stringify(chat) })
  expectThat(refused.status === 401, `without a key: ${refused.status}`)

  running.kill('SIGTERM')
  const [code, signal] = (await within(10_000, 'the end after SIGTERM', once(running, 'exit'))) as unknown[]
  expectThat(code === 0, `ended with code ${String(code)}, signal ${String(signal)}`)
  expectThat(!told().includes('Warning'), 'there is a warning in what it says')
  const usage = command('usage', '--format', 'csv', ...store)
  expectThat(new RegExp(`^smoke,\\w+,1,0,.*,${answerTokens},`, 'm').test(usage), `the ledger: ${usage}`)
}

function command(...args: readonly string[]): string {
  return execFileSync(process.execPath, [entry, ...args], { cwd: folder, env: environment(), encoding: 'utf8' })
}

/** Somewhere without a configuration file, and without settings from the environment. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('LMX_GATEWAY_')))
}

interface GatewayProcess {
  readonly process: ChildProcess
  readonly output: string
  readonly untilOutput: (words: string) => Promise<string>
  readonly told: () => string
}

function startGateway(hostUrl: string): GatewayProcess {
  const child = spawn(process.execPath, [entry, '--host-url', hostUrl, '--port', '0', '--admin-port', '0', ...store], {
    cwd: folder,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const changes = new Changes()
  let output = ''
  const listen = (chunk: Buffer) => {
    output += chunk.toString()
    changes.notify()
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.once('exit', () => changes.notify())
  return {
    process: child,
    get output() {
      return output
    },
    told: () => output,
    untilOutput: async (words) => {
      await changes.until(20_000, `"${words}" in the output`, () => output.includes(words) || child.exitCode !== null)
      if (!output.includes(words)) throw new Error(`the gateway ended with code ${String(child.exitCode)}`)
      return output
    },
  }
}

async function get(
  url: string,
  { body, headers: more = {} }: { body?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<{ status: number | undefined; body: string }> {
  const headers = { 'content-type': 'application/json', connection: 'close', ...more }
  const sent = request(url, { method: body === undefined ? 'GET' : 'POST', headers })
  sent.end(body)
  const answer = new Promise<{ status: number | undefined; body: string }>((done, failed) => {
    sent.once('error', failed)
    sent.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.once('error', failed)
      response.once('end', () => done({ status: response.statusCode, body: text }))
    })
  })
  return within(20_000, `the answer of ${url}`, answer)
}

function contentFrames(stream: string): number {
  return stream.split('\n\n').filter((frame) => /"content": ?"[^"]/.test(frame)).length
}

function expectThat(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise)
}
