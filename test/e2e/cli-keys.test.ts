/** Keys on the command line beside a gateway that runs: real processes on one store. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import { launch, launchScript, RunningProcess } from '../kit/child-process.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { defaultModel } from '../kit/lmx-double/options.ts'
import { within } from '../kit/within.ts'

/** 20 times the second within which a change is to hold. */
const knownMsMax = 20_000

let folder: string
let host: LmxDouble
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-cli-keys-'))
  host = await startLmxDouble({ cost: { decodeTokensPerSecond: 20 } })
})
afterEach(async () => {
  await host[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const storePath = () => join(folder, 'state', 'gateway.db')
const store = () => ['--store', storePath()]

async function cli(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  await using child = launch(args, { cwd: folder, env })
  const { code } = await child.end()
  return { code, out: child.out.trim(), err: child.err.trim() }
}

async function newKey(name: string): Promise<string> {
  const { code, out, err } = await cli(['keys', 'create', '--name', name, ...store()])
  expect(code, err).toBe(0)
  return out
}

interface Running extends AsyncDisposable {
  readonly process: RunningProcess
  readonly base: string
  readonly adminUrl: string
}

async function gateway(): Promise<Running> {
  const process = launch(['--port', '0', '--admin-port', '0', '--host-url', host.url, ...store()], { cwd: folder })
  const base = await process.said(/(http:\S+\/v1)\n/)
  const adminUrl = (await process.said(/(http:\S+)\/metrics\n/)).replace(/\/$/, '')
  await process.said(/Try it/)
  return { process, base, adminUrl, [Symbol.asyncDispose]: () => process[Symbol.asyncDispose]() }
}

async function statusWith(base: string, key: string | null): Promise<number> {
  const headers = { connection: 'close', ...(key === null ? {} : { authorization: `Bearer ${key}` }) }
  return (await fetch(`${base}/models`, { headers })).status
}

async function becomes(base: string, key: string | null, status: number): Promise<void> {
  await reached(`the change to be known: ${status}`, async () => (await statusWith(base, key)) === status)
}

async function reached(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + knownMsMax
  while (!(await within(knownMsMax, what, holds()))) {
    if (performance.now() > endsAt) throw new Error(`waited ${knownMsMax} ms in vain for ${what}`)
    await pause(20)
  }
}

/** The text of a stream that has begun when this resolves. */
async function stream(base: string, key: string, tokens: number): Promise<Promise<string>> {
  const answer = await fetch(`${base}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
    body: JSON.stringify({
      model: defaultModel,
      stream: true,
      max_tokens: tokens,
      messages: [{ role: 'user', content: 'go' }],
    }),
  })
  expect(answer.status).toBe(200)
  return answer.text()
}

describe('keys, with a gateway running or not', () => {
  test('made before the start they are good, and nobody is served without one', async () => {
    const key = await newKey('alice')
    await using running = await gateway()
    expect(running.process.out).toMatch(/^ {2}keys {9}1 live$/m)
    expect(await statusWith(running.base, key)).toBe(200)
    expect(await statusWith(running.base, null)).toBe(401)
  })

  test('made while it runs they are good within a second, and end the time in which nobody needs one', async () => {
    await using running = await gateway()
    expect(await statusWith(running.base, null)).toBe(200)
    const key = await newKey('alice')
    await becomes(running.base, key, 200)
    await becomes(running.base, null, 401)
    const changed = await cli(['keys', 'change', 'alice', '--rpm', '60', ...store()])
    expect(changed).toMatchObject({ code: 0, err: 'A gateway that runs follows within a second.' })
  })

  test('revoked they are refused within a second, as the last one too, also after a start anew; streams may finish', async () => {
    const key = await newKey('alice')
    {
      await using running = await gateway()
      const text = stream(running.base, key, 40)
      await host.waitFor(({ running: count }) => count === 1, 'the stream to run at the host', 10_000)
      expect((await cli(['keys', 'revoke', 'alice', ...store()])).code).toBe(0)
      await becomes(running.base, key, 401)
      expect(await statusWith(running.base, null)).toBe(401)
      expect(await within(20_000, 'the stream to end', text)).toMatch(/data: \[DONE\]\n\n$/)
    }
    await using again = await gateway()
    expect(await statusWith(again.base, key)).toBe(401)
    expect(await statusWith(again.base, null)).toBe(401)
    expect(again.process.out).toMatch(/^ {2}keys {9}none is live/m)
  })

  test('revoked with --end-streams what runs ends too, not looking complete, and its host is free', async () => {
    const key = await newKey('alice')
    await using running = await gateway()
    const text = stream(running.base, key, 100_000)
      .then((body) => body)
      .catch(() => 'cut')
    await host.waitFor(({ running: count }) => count === 1, 'the stream to run at the host', 10_000)
    expect((await cli(['keys', 'revoke', 'alice', '--end-streams', ...store()])).code).toBe(0)
    expect(await within(knownMsMax, 'the stream to end', text)).not.toContain('[DONE]')
    await host.waitFor(({ running: count }) => count === 0, 'the host to be free', 10_000)
  })

  test('rotated both are good for the grace time, and without one the old is refused', async () => {
    const old = await newKey('alice')
    await using running = await gateway()
    const fresh = await cli(['keys', 'rotate', 'alice', ...store()])
    await becomes(running.base, fresh.out, 200)
    expect(await statusWith(running.base, old)).toBe(200)
    const last = await cli(['keys', 'rotate', 'alice', '--grace', '0', ...store()])
    await becomes(running.base, last.out, 200)
    expect(await statusWith(running.base, old)).toBe(401)
    expect(await statusWith(running.base, fresh.out)).toBe(401)
  })
})

test('a long list comes whole, also to a reader that is slow', async () => {
  await newKey('first')
  const filled = await openStore({ path: storePath(), role: 'cli' })
  const [first] = await filled.keys.list()
  if (first === undefined) throw new Error('the key is not there')
  for (let at = 0; at < 500; at++) {
    const audit = { atMs: 1, actor: 'test', action: 'key.create', keyId: null, keyName: null, detail: {} } as const
    await filled.keys.insert({ ...first, id: `Id${String(at).padStart(6, '0')}`, name: `key ${at}` }, audit)
  }
  await filled.close()
  const command = `"${process.execPath}" "${launchScript}" keys list --json --store "${storePath()}" | { sleep 0.2; cat; }`
  await using list = new RunningProcess('/bin/sh', ['-c', command], { cwd: folder })
  expect(await list.end()).toEqual({ code: 0, signal: null })
  expect(list.out.length).toBeGreaterThan(150_000)
  expect((JSON.parse(list.out) as { keys: unknown[] }).keys).toHaveLength(501)
})

describe('the admin token', () => {
  test('is in a file at the first start, opens the admin API to the command line, and ends when another is made', async () => {
    await using running = await gateway()
    const file = join(folder, 'state', 'gateway-admin-token')
    expect(running.process.out).toContain(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const token = (await readFile(file, 'utf8')).trim()
    expect(running.process.out + running.process.err).not.toContain(token)
    const flags = ['--admin-url', running.adminUrl]
    const env = { LMX_GATEWAY_ADMIN_TOKEN: token }
    const made = await cli(['keys', 'create', '--name', 'alice', ...flags], env)
    expect(made).toMatchObject({ code: 0 })
    expect(made.err).toContain('This was the first key')
    await becomes(running.base, made.out, 200)
    const here = await cli(['keys', 'list', '--json', ...store()])
    expect(JSON.parse(here.out)).toMatchObject({ keys: [{ name: 'alice' }] })

    const rotated = await cli(['admin-token', 'rotate', '--show', ...store()])
    await reached('the old token to end', async () => {
      const { code } = await cli(['keys', 'list', ...flags], env)
      return code === 1
    })
    const listed = await cli(['keys', 'list', ...flags], { LMX_GATEWAY_ADMIN_TOKEN: rotated.out })
    expect(listed).toMatchObject({ code: 0, err: '' })
  })
})

test('what was used is in the ledger of a gateway that runs', async () => {
  const key = await newKey('alice')
  await using running = await gateway()
  await within(
    20_000,
    'the stream to end',
    stream(running.base, key, 5).then((text) => text),
  )
  const args = ['usage', '--json', '--by', 'key,model', ...store()]
  await reached('the row', async () => (JSON.parse((await cli(args)).out) as Used).total.requests === 1)
  expect(JSON.parse((await cli(args)).out)).toMatchObject({ rows: [{ key: 'alice', model: defaultModel, output: 5 }] })
})

test('without a configuration file usage says by what costs and days go, where there are costs', async () => {
  const admitted = {
    id: 'r1',
    requestId: 'r1',
    keyId: null,
    keyName: 'anonymous',
    team: null,
    endpoint: 'chat_completions',
    model: 'm',
    stream: true,
    startedAtMs: Date.now(),
  }
  const figures = {
    host: 'h',
    input: 1,
    cachedInput: 0,
    output: 1,
    reasoning: 0,
    inputSource: 'reported',
    outputSource: 'reported',
    costNanos: 1,
  } as const
  const kept = await openStore({ path: storePath(), role: 'cli' })
  await kept.close()
  const ledger = await openStore({ path: storePath(), role: 'gateway' })
  await ledger.ledger.write([{ admitted, figures, settled: null }])
  await ledger.close()
  const note = 'Note: costs in USD and days in UTC by default; no configuration file was read.'
  for (const format of ['csv', 'json'])
    expect(await cli(['usage', '--format', format, ...store()])).toMatchObject({ code: 0, err: note })
  expect(await cli(['usage', '--team', 'none', ...store()])).toMatchObject({ code: 0, err: '' })
  await writeFile(join(folder, 'lmx-gateway.yaml'), 'usage: { currency: EUR }\n')
  expect(await cli(['usage', ...store()])).toMatchObject({ code: 0, err: '' })
})

interface Used {
  readonly total: { readonly requests: number }
}
