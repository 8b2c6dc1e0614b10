/** The command as a user meets it: real processes, real signals, real ports. */
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launch, launchScript, type ProcessOptions, RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { defaultModel } from '../kit/lmx-double/options.ts'
import { listen } from '../kit/servers.ts'
import { within } from '../kit/within.ts'

let folder: string
let closedUrl: string
const freePorts = ['--port', '0', '--admin-port', '0']

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-cli-'))
  const closed = await listen(createServer())
  await closed.close()
  closedUrl = closed.url
})
afterAll(() => rm(folder, { recursive: true }))

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

async function run(args: readonly string[], options: Partial<ProcessOptions> = {}) {
  await using child = launch(args, { cwd: folder, ...options })
  const { code } = await child.end()
  return { code, out: child.out, err: child.err }
}

describe('a start that cannot be is refused with one sentence and 1 (G10)', () => {
  test.each<[string, string[], RegExp]>([
    ['port below', ['--port', '-1'], /^lmx-gateway: --port: must be at least 0, not -1\n$/],
    ['port above', ['--port', '70000'], /^lmx-gateway: --port: must be at most 65535, not 70000\n$/],
    ['port in words', ['--port', 'http'], /^lmx-gateway: --port: must be a number, not "http"\n$/],
    ['no URL', ['--host-url', 'studio'], /^lmx-gateway: --host-url: "studio" is not a URL; .*\n$/],
    ['URL with credentials', ['--host-url', 'http://me:hunter2@a:1'], /^lmx-gateway: --host-url: .*credentials.*\n$/],
    ['open to others', ['--bind', '0.0.0.0'], /^lmx-gateway: --bind: .*--allow-anonymous.*\n$/],
    ['unknown flag', ['--prot', '1'], /^lmx-gateway: unknown flag --prot; did you mean "--port"\?.*\n$/],
    ['unknown command', ['sreve'], /^lmx-gateway: unknown command "sreve"; did you mean "serve"\?\n$/],
    ['no such file', ['--config', 'nowhere.yaml'], /^lmx-gateway: --config: there is no file nowhere\.yaml\n$/],
    ['a folder as file', ['--config', '.'], /^lmx-gateway: --config: \. is a folder; .*\n$/],
  ])('%s', async (_name, args, sentence) => {
    const { code, out, err } = await run(args, { env: { LMX_GATEWAY_PORT: '0', LMX_GATEWAY_ADMIN_PORT: '0' } })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(sentence)
    expect(err).not.toContain('hunter2')
  })

  test.each<[string, string, RegExp]>([
    ['unknown key', 'server:\n  prot: 1\n', /:2:3 server\.prot: unknown key; did you mean "port"\?\n$/],
    ['wrong type', 'server:\n  port: http\n', /:2:9 server\.port: must be a number, not "http"\n$/],
    ['negative limit', 'queue:\n  lengthMax: -1\n', /:2:14 queue\.lengthMax: must be at least 1, not -1\n$/],
    ['no YAML', 'server: "\n', /:\d+:\d+: not valid YAML.*\n$/],
  ])('file: %s', async (_name, yaml, sentence) => {
    const path = await file('bad.yaml', yaml)
    const { code, out, err } = await run(['--config', path])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err.startsWith(`lmx-gateway: ${path}`)).toBe(true)
    expect(err).toMatch(sentence)
  })
})

describe('an address that cannot be had (G11)', () => {
  test.each([
    ['--port', '--admin-port'],
    ['--admin-port', '--port'],
  ])('%s in use: one sentence that names it, and the other port is free afterwards', async (taken, other) => {
    const holder = await listen(createServer())
    const spare = await listen(createServer())
    await spare.close()
    const { code, err } = await run(['--host-url', closedUrl, taken, String(holder.port), other, String(spare.port)])
    expect(code).toBe(1)
    expect(err).toMatch(new RegExp(`^lmx-gateway: .*\\b${holder.port}\\b.*\\n$`))
    await holder.close()
    // Takes both, so neither was left open.
    await using again = launch(['--host-url', closedUrl, taken, String(holder.port), other, String(spare.port)], {
      cwd: folder,
    })
    await again.said(/listening/)
    again.signal('SIGTERM')
    expect(await again.end()).toEqual({ code: 0, signal: null })
  })

  test('an address of another machine: one sentence that names it', async () => {
    // 192.0.2.0/24 is for documentation (RFC 5737) and nobody's.
    const { code, err } = await run([...freePorts, '--host-url', closedUrl, '--bind', '192.0.2.1', '--allow-anonymous'])
    expect(code).toBe(1)
    expect(err).toMatch(/^lmx-gateway: .*192\.0\.2\.1.*\n$/)
  })
})

describe('check-config', () => {
  test('0 and a summary for a good file', async () => {
    const path = await file('good.yaml', 'hosts: [{ name: studio, url: "http://a:1", apiKey: hunter2 }]\n')
    const { code, out, err } = await run(['check-config', '--config', path])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('studio  http://a:1')
    expect(out).not.toContain('hunter2')
  })

  test('1 and every problem for a bad one', async () => {
    const path = await file('worse.yaml', 'server: { prot: 1, port: x }\nhosts: []\n')
    const { code, out, err } = await run(['check-config'], { env: { LMX_GATEWAY_CONFIG: path } })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err.trim().split('\n')).toHaveLength(3)
  })

  test('--json for programs', async () => {
    const path = await file('lmx-gateway.yaml', 'server: { port: x }\n')
    const bad = await run(['check-config', '--json'])
    expect(bad.code).toBe(1)
    expect(JSON.parse(bad.out)).toMatchObject({ ok: false, problems: [{ line: 1, column: 17, path: 'server.port' }] })
    await rm(path)
    const good = await run(['check-config', '--json'])
    expect(good.code).toBe(0)
    expect(JSON.parse(good.out)).toMatchObject({ ok: true, file: null, server: { port: 4000 } })
  })
})

describe('serve', () => {
  test('tells where it listens, what it found, and a command that works', async () => {
    await using double = await startLmxDouble()
    await using gateway = launch([...freePorts, '--host-url', double.url, '--host-url', closedUrl], { cwd: folder })
    const base = await gateway.said(/(http:\S+\/v1)\n/)
    const metrics = await gateway.said(/(http:\S+\/metrics)\n/)
    const command = await gateway.said(/\n +(curl .*)\n/)
    expect(gateway.out).toMatch(/lmx {2}\d+ models? \(.*\) {2}\d+ slots\n/)
    expect(gateway.out).toMatch(/not reachable: .*; probing on every 5 s\n/)
    expect((await fetch(`${base}/models`)).status).toBe(200)
    expect((await fetch(metrics)).status).toBe(200)
    const [, url = '', body = ''] = /(http\S+).* -d '(.*)'$/.exec(command) ?? []
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(await answer.text()).toMatch(/data: \[DONE\]\n\n$/)
    gateway.signal('SIGTERM')
    expect(await gateway.end()).toEqual({ code: 0, signal: null })
  })

  test('beside a file whose aliases name its hosts, --host-url holds, and a note says what does not', async () => {
    const path = await file(
      'per-host.yaml',
      'hosts: [{ name: studio, url: "http://a:1" }]\nmodels: { aliases: { fast: { studio: m } } }\n',
    )
    const note = /^Note: .* per-host\.yaml, .*: fast\.studio\.$/m
    await using gateway = launch([...freePorts, '--config', 'per-host.yaml', '--host-url', closedUrl], { cwd: folder })
    await gateway.said(/listening/)
    expect(gateway.out).toMatch(note)
    gateway.signal('SIGTERM')
    expect(await gateway.end()).toEqual({ code: 0, signal: null })

    const env = { LMX_GATEWAY_CONFIG: 'per-host.yaml', LMX_GATEWAY_HOST_URLS: closedUrl }
    const checked = await run(['check-config'], { env })
    expect(checked).toMatchObject({ code: 0, err: '' })
    expect(checked.out).toMatch(note)
    await rm(path)
  })

  test('a stop that is asked for while it still loads its parts is one, and the exit code is 0', async () => {
    const early = [
      "import { registerHooks } from 'node:module'",
      'let asked = false',
      'registerHooks({ load(url, context, next) {',
      "  if (!asked && url.includes('/undici/')) process.kill(process.pid, 'SIGTERM'), (asked = true)",
      '  return next(url, context)',
      '} })',
    ]
    const preload = await file('early-stop.mjs', early.join('\n'))
    const args = ['--import', preload, launchScript, ...freePorts, '--host-url', closedUrl]
    await using gateway = new RunningProcess(process.execPath, args, { cwd: folder })
    expect(await gateway.end()).toEqual({ code: 0, signal: null })
    expect(gateway.out).toContain('Stopping')
  })

  test('goes on when nobody reads what it says', async () => {
    await using gateway = new RunningProcess(
      '/bin/sh',
      ['-c', `"${process.execPath}" "${launchScript}" ${freePorts.join(' ')} --host-url ${closedUrl} 2>&1 | head -n 4`],
      { cwd: folder, ownGroup: true },
    )
    const base = await gateway.said(/(http:\S+\/v1)\n/)
    // Its next lines, about the host, meet a closed pipe.
    await expect(fetch(`${base.replace('/v1', '')}/healthz`)).resolves.toHaveProperty('status', 200)
    await expect(fetch(`${base.replace('/v1', '')}/readyz`)).resolves.toHaveProperty('status', 503)
    gateway.signalGroup('SIGTERM')
    await gateway.end()
  })
})

describe('npm start', () => {
  const streamed = 40

  /** A stream that has begun when this resolves, and its whole text. */
  async function startStream(base: string): Promise<Promise<string>> {
    const body = {
      model: defaultModel,
      stream: true,
      max_tokens: streamed,
      messages: [{ role: 'user', content: 'go' }],
    }
    const answer = await fetch(`${base}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return answer.text()
  }

  async function npmStart(hostUrl: string): Promise<RunningProcess> {
    const config = await file('npm.yaml', '')
    const args = ['start', '--', ...freePorts, '--host-url', hostUrl, '--config', config]
    return new RunningProcess('npm', args, { cwd: repositoryRoot, ownGroup: true })
  }

  test.each<[string, (npm: RunningProcess) => void]>([
    ['SIGTERM to npm itself', (npm) => npm.signal('SIGTERM')],
    ['Ctrl-C in its terminal', (npm) => npm.signalGroup('SIGINT')],
  ])('%s: the stream ends whole, newcomers are refused, and the exit code is 0', async (_name, stop) => {
    await using double = await startLmxDouble({ cost: { decodeTokensPerSecond: 20 } })
    await using npm = await npmStart(double.url)
    const base = await npm.said(/(http:\S+\/v1)\n/)
    await npm.said(/Try it/)
    const text = startStream(base)
    await double.waitFor((host) => host.running === 1, 'the stream to run at the host', 10_000)
    stop(npm)
    await npm.said(/Stopping/)
    const whole = await within(20_000, 'the stream to end', text)
    expect(whole.match(/"content": ?"[^"]/g)).toHaveLength(streamed)
    expect(whole).toMatch(/data: \[DONE\]\n\n$/)
    expect(await npm.end()).toEqual({ code: 0, signal: null })
    await expect(fetch(base)).rejects.toThrow()
  })

  test('a second Ctrl-C, later than a second after the first, ends the stream too', async () => {
    await using double = await startLmxDouble({ cost: { decodeTokensPerSecond: 5 } })
    await using npm = await npmStart(double.url)
    const base = await npm.said(/(http:\S+\/v1)\n/)
    await npm.said(/Try it/)
    const text = startStream(base).catch(() => 'cut')
    await double.waitFor((host) => host.running === 1, 'the stream to run at the host', 10_000)
    npm.signalGroup('SIGINT')
    await npm.said(/Stopping/)
    await new Promise((resolve) => setTimeout(resolve, 1_200))
    expect(double.running).toBe(1)
    npm.signalGroup('SIGINT')
    await npm.end()
    expect(await text).not.toContain('[DONE]')
    await double.waitFor((host) => host.running === 0, 'the host to be free', 10_000)
  })
})

describe('a machine with an older Node', () => {
  /** Makes the first process believe that it is Node 20; what it starts is left alone. */
  async function olderNode(): Promise<string[]> {
    const fake = [
      'if (process.env.PRETENDED === undefined) {',
      "  process.env.PRETENDED = 'yes'",
      "  Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })",
      '}',
    ]
    return ['--import', await file('older-node.mjs', fake.join('\n'))]
  }

  test('goes over to the Node that came with the packages: arguments, signals and exit code pass', async () => {
    const args = [...(await olderNode()), launchScript, ...freePorts, '--host-url', closedUrl]
    await using gateway = new RunningProcess(process.execPath, args, { cwd: folder })
    await gateway.said(/listening/)
    gateway.signal('SIGTERM')
    await gateway.said(/Stopping/)
    expect(await gateway.end()).toEqual({ code: 0, signal: null })

    await using refused = new RunningProcess(process.execPath, [...args, '--prot'], { cwd: folder })
    expect(await refused.end()).toEqual({ code: 1, signal: null })
    expect(refused.err).toContain('unknown flag --prot')
  })

  test('a hang-up that comes from no terminal has the configuration read again, and SIGTERM ends both', async () => {
    const args = [...(await olderNode()), launchScript, ...freePorts, '--host-url', closedUrl]
    await using gateway = new RunningProcess(process.execPath, args, { cwd: folder })
    await gateway.said(/listening/)
    gateway.signal('SIGHUP')
    await gateway.logged(/configuration read again/)
    gateway.signal('SIGTERM')
    expect(await gateway.end()).toEqual({ code: 0, signal: null })
    expect(gateway.out).toContain('Stopping')
  })

  test('without those packages: one sentence on what to do', async () => {
    const alone = join(folder, 'launch.mjs')
    await copyFile(launchScript, alone)
    await using refused = new RunningProcess(process.execPath, [...(await olderNode()), alone], { cwd: folder })
    expect(await refused.end()).toEqual({ code: 1, signal: null })
    expect(refused.err).toMatch(/^lmx-gateway: needs Node\.js 22\.19 or newer, and this is 20\.20\.2; .*npm ci.*\n$/)
  })
})
