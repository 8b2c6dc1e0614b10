/** The whole gateway killed under load, held against what its host and its clients saw: at most the last second is missing. */
import { request } from 'node:http'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
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
  readonly output: number
  readonly end: string | null
}

/** Asks one after the other until the gateway is gone. */
async function ask(port: number, prefix: string, seen: Seen[]): Promise<void> {
  for (let number = 0; ; number += 1) {
    const one: Seen = { id: `${prefix}-${number}`, beganMs: performance.now(), output: null }
    seen.push(one)
    if (!(await answered(port, one))) return
  }
}

function answered(port: number, seen: Seen): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'x-request-id': seen.id }
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
    return file.prepare('SELECT id, request_id, output, "end" FROM requests').all() as unknown as StoredRow[]
  } finally {
    file.close()
  }
}

test(
  `G05, G06: the gateway killed ${kills} times under load: no row twice, none that is older than a second missing, what runs ends aborted_unknown`,
  async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const cost = { decodeTokensPerSecond: 100, tokensPerChunk: 1 }
    await using host = await startLmxDouble({ models: [model], slots: clients, cost })
    let cutShort = 0
    for (let kill = 0; kill <= kills; kill += 1) {
      const flags = ['--host-url', host.url, '--port', '0', '--admin-port', '0', '--store', folder.storePath]
      await using gateway = new RunningProcess(process.execPath, [launchScript, ...flags], { cwd: folder.path })
      const port = Number(await gateway.said(/http:\/\/127\.0\.0\.1:(\d+)\/v1\n/))
      await gateway.said(/Try it|not reachable/)
      // By the gateway that has just started; the ones before it are all dead.
      await eventually(20_000, 'the rows of the dead to be ended', () =>
        rowsIn(folder).every(({ end }) => end !== null),
      )
      if (kill === kills) break
      const seen: Seen[] = []
      const asking = Array.from({ length: clients }, (_, at) => ask(port, `k${kill}-c${at}`, seen))
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
