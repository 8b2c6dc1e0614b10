/** The whole gateway killed under load, held against what its host and its clients saw: at most the last second is missing, and what the ledger has is counted. */
import { request } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { replaceAdminToken } from '../../src/access/admin-token.ts'
import { KeyAdmin } from '../../src/access/key-admin.ts'
import type { LimitName, Limits } from '../../src/access/limits.ts'
import { limitsOptions } from '../../src/access/options.ts'
import { systemClock } from '../../src/base/clock.ts'
import { openStore } from '../../src/stores/open-store.ts'
import type { Store } from '../../src/stores/store.ts'
import { launchScript, RunningProcess } from '../kit/child-process.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { type ScratchFolder, scratchFolder } from '../kit/stored-rows.ts'
import { eventually } from '../kit/within.ts'

const kills = process.env['TEST_LONG'] === 'true' ? 200 : 20
/** Twenty times the second that may be missing, so that a busy machine is no failure. */
const missingMsMax = 20_000
const model = 'org/model-a'
const clients = 12
const tokensMax = 60
const keyName = 'load'
/** More than the load can use. */
const generous = {
  requestsPerMinute: 1_000_000,
  tokensPerMinute: 1_000_000_000,
  requestsPerDay: 10_000_000,
  tokensPerMonth: 10_000_000_000,
} as const satisfies Limits
const minuteMs = 60_000
/** Of a limit per minute, what may be used at once. */
const burstShare = 0.25
const { cachedInputWeight } = limitsOptions.parse({})

interface Seen {
  /** As the client names it. */
  readonly id: string
  readonly beganMs: number
  /** Words of the answer, each a token, once it is complete; null while it is not. */
  output: number | null
}

interface StoredRow {
  readonly id: string
  readonly request_id: string
  readonly started_at_ms: number
  readonly input: number
  readonly cached_input: number
  readonly output: number
  readonly end: string | null
}

interface Way {
  readonly port: number
  readonly key: string
}

/** Asks one after the other until the gateway is gone. */
async function ask(way: Way, prefix: string, seen: Seen[]): Promise<void> {
  for (let number = 0; ; number += 1) {
    const one: Seen = { id: `${prefix}-${number}`, beganMs: performance.now(), output: null }
    seen.push(one)
    if (!(await answered(way, one))) return
  }
}

function answered({ port, key }: Way, seen: Seen): Promise<boolean> {
  return new Promise((resolve) => {
    const authorization = `Bearer ${key}`
    const headers = { authorization, 'content-type': 'application/json', 'x-request-id': seen.id }
    const asked = request({ port, host: '127.0.0.1', path: '/v1/chat/completions', method: 'POST', headers })
    asked.on('error', () => resolve(false))
    asked.on('response', (answer) => {
      let text = ''
      answer.setEncoding('utf8')
      answer.on('data', (piece: string) => {
        text += piece
      })
      answer.on('error', () => resolve(false))
      answer.on('end', () => {
        if (text.includes('[DONE]')) seen.output = text.match(/"content": ?"w\d+/g)?.length ?? 0
        resolve(seen.output !== null)
      })
    })
    const body = { model, stream: true, max_tokens: tokensMax, messages: [{ role: 'user', content: 'go' }] }
    asked.end(JSON.stringify(body))
  })
}

function rowsIn({ storePath, usagePath }: ScratchFolder): readonly StoredRow[] {
  for (const path of [storePath, usagePath]) {
    const file = new DatabaseSync(path)
    expect(file.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    file.close()
  }
  const file = new DatabaseSync(usagePath)
  try {
    const columns = 'id, request_id, started_at_ms, input, cached_input, output, "end"'
    return file.prepare(`SELECT ${columns} FROM requests`).all() as unknown as StoredRow[]
  } finally {
    file.close()
  }
}

test(
  `G05, G06: the gateway killed ${kills} times under load: no row twice, none that is older than a second missing, what runs ends aborted_unknown, no counter below what the ledger says`,
  async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const { key, keyId, adminToken } = await withStore(folder, async (store, keys) => {
      const { record, key: secret } = await keys.create({ name: keyName, limits: generous }, 'cli test')
      const change = { clock: systemClock, actor: 'cli test', action: 'admin-token.create' } as const
      const token = await replaceAdminToken(store.keys, change)
      return { key: secret.reveal(), keyId: record.id, adminToken: token.reveal() }
    })
    const cost = { decodeTokensPerSecond: 100, tokensPerChunk: 1 }
    await using host = await startLmxDouble({ models: [model], slots: clients, cost })
    let cutShort = 0
    for (let kill = 0; kill <= kills; kill += 1) {
      // The load is over: what it used is now just about what its limits allow, so that one row too few is seen.
      const limits = kill === kills ? await usedUp(folder) : generous
      const flags = ['--host-url', host.url, '--port', '0', '--admin-port', '0', '--store', folder.storePath]
      await using gateway = new RunningProcess(process.execPath, [launchScript, ...flags], { cwd: folder.path })
      const port = Number(await gateway.said(/http:\/\/127\.0\.0\.1:(\d+)\/v1\n/))
      await gateway.said(/Try it|not reachable/)
      // By the gateway that has just started; the ones before it are all dead.
      await eventually(20_000, 'the rows of the dead to be ended', () =>
        rowsIn(folder).every(({ end }) => end !== null),
      )
      const adminUrl = await gateway.said(/(http:\S+)\/metrics\n/)
      const left = await leftOf(`${adminUrl}/admin/limits/${keyId}`, adminToken)
      counted(left, rowsIn(folder), limits)
      if (kill === kills) break
      const seen: Seen[] = []
      const asking = Array.from({ length: clients }, (_, at) => ask({ port, key }, `k${kill}-c${at}`, seen))
      await eventually(20_000, 'a complete answer', () => seen.some(({ output }) => output !== null))
      await pause((kill * 137) % 700)
      const killedMs = performance.now()
      gateway.signal('SIGKILL')
      await gateway.end()
      await Promise.all(asking)
      cutShort += held(seen, rowsIn(folder), killedMs, `k${kill}-`)
    }
    expect(cutShort).toBeGreaterThan(kills)
  },
  kills * 10_000,
)

/** Returns how many rows are without an end. */
function held(seen: readonly Seen[], rows: readonly StoredRow[], killedMs: number, prefix: string): number {
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
  const own = rows.filter(({ request_id: id }) => id.startsWith(prefix))
  const byRequest = new Map(own.map((row) => [row.request_id, row]))
  expect(byRequest.size, 'one row for each request').toBe(own.length)
  for (const { id, beganMs, output } of seen) {
    const row = byRequest.get(id)
    if (row === undefined) expect(killedMs - beganMs, `${id} is missing`).toBeLessThan(missingMsMax)
    // Its client may have lost what the gateway had sent.
    else if (row.end === '--' && output !== null) expect({ id, output: row.output }).toEqual({ id, output })
    else expect(row.output).toBeLessThanOrEqual(tokensMax)
  }
  for (const { request_id: id } of own) expect(seen.some((one) => one.id === id)).toBe(true)
  return own.filter(({ end }) => end === null).length
}

async function withStore<T>(folder: ScratchFolder, work: (store: Store, keys: KeyAdmin) => Promise<T>): Promise<T> {
  const store = await openStore({ path: folder.storePath, role: 'cli' })
  try {
    return await work(store, new KeyAdmin(store.keys, { clock: systemClock, teams: [] }))
  } finally {
    await store.close()
  }
}

async function leftOf(url: string, adminToken: string): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(url, { headers: { authorization: `Bearer ${adminToken}`, connection: 'close' } })
  expect(answer.status).toBe(200)
  const { limits } = (await answer.json()) as { limits: { limit: string; remaining: number }[] }
  return new Map(limits.map(({ limit, remaining }) => [limit, remaining]))
}

/** Holds what is told to be left, before anybody has asked again, against the rows. */
function counted(left: ReadonlyMap<string, number>, rows: readonly StoredRow[], limits: MinuteLimits): void {
  const nowMs = Date.now()
  const today = new Date(nowMs)
  const dayMs = Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate())
  const monthMs = Date.UTC(today.getUTCFullYear(), today.getUTCMonth())
  const used = (amountOf: (row: StoredRow) => number, sinceMs: number) =>
    sumOf(rows.filter(({ started_at_ms: startedAtMs }) => startedAtMs >= sinceMs).map(amountOf))
  const atMost: { readonly [Name in LimitName]?: number } = {
    requestsPerDay: generous.requestsPerDay - used(requestsOf, dayMs),
    tokensPerMonth: generous.tokensPerMonth - used(tokensOf, monthMs),
    requestsPerMinute: minuteLeft(rows, requestsOf, limits.requestsPerMinute, nowMs),
    tokensPerMinute: minuteLeft(rows, tokensOf, limits.tokensPerMinute, nowMs),
  }
  for (const [limit, most] of Object.entries(atMost)) {
    expect(left.get(limit), `left of ${limit}`).toBeLessThanOrEqual(most)
  }
}

type MinuteLimits = { readonly [Name in 'requestsPerMinute' | 'tokensPerMinute']: number }

/** Gives the key, while no gateway runs, the least limits per minute that its rows do not exceed. */
async function usedUp(folder: ScratchFolder): Promise<MinuteLimits> {
  const rows = rowsIn(folder)
  const nowMs = Date.now()
  const least = (amountOf: (row: StoredRow) => number) =>
    Math.max(
      100,
      ...lastOnes(rows, amountOf, nowMs).map(({ used, ageMs }) => Math.ceil(used / (burstShare + ageMs / minuteMs))),
    )
  const limits = { requestsPerMinute: least(requestsOf), tokensPerMinute: least(tokensOf) }
  await withStore(folder, (_store, keys) => keys.change(keyName, { limits: { ...generous, ...limits } }, 'cli test'))
  return limits
}

/** Whatever was used before, no more was there than may be used at once, and from then on the limit refills it. */
function minuteLeft(
  rows: readonly StoredRow[],
  amountOf: (row: StoredRow) => number,
  limit: number,
  nowMs: number,
): number {
  const burst = burstShare * limit
  return Math.min(
    burst,
    ...lastOnes(rows, amountOf, nowMs).map(({ used, ageMs }) => burst + (limit * ageMs) / minuteMs - used),
  )
}

/** For each row of the last minute: what was used since it began, and how long ago that was. */
function lastOnes(
  rows: readonly StoredRow[],
  amountOf: (row: StoredRow) => number,
  nowMs: number,
): readonly { readonly used: number; readonly ageMs: number }[] {
  let used = 0
  return rows
    .map((row) => ({ amount: amountOf(row), ageMs: nowMs - row.started_at_ms }))
    .filter(({ ageMs }) => ageMs <= minuteMs)
    .toSorted((a, b) => a.ageMs - b.ageMs)
    .map(({ amount, ageMs }) => ({ used: (used += amount), ageMs }))
}

/** Of what has no end of its own there is no telling, so it counts. */
function requestsOf({ end, input, output }: StoredRow): number {
  return end === '--' || end === null || end === 'aborted_unknown' || input + output > 0 ? 1 : 0
}

function tokensOf({ input, cached_input: cached, output }: StoredRow): number {
  return input - cached + cachedInputWeight * cached + output
}

function sumOf(amounts: readonly number[]): number {
  return amounts.reduce((sum, amount) => sum + amount, 0)
}
