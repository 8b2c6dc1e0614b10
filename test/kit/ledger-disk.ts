/**
 * A gateway whose store is on a disk of one test alone: `unshare -rm node ledger-disk.ts full|refuse|read-only FOLDER` prints
 * what it saw as one line of JSON.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, cpSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { openStore } from '../../src/stores/open-store.ts'
import { startGateway } from './gateway-under-test.ts'
import { startLmxDouble } from './lmx-double/lmx-double.ts'
import { auditEntry, keyRecord } from './stored-rows.ts'
import { eventually } from './within.ts'

export interface DiskReport {
  /** Of the requests before, while and after the store could not be written. */
  readonly statuses: readonly number[]
  /** Meanwhile. */
  readonly pendingRows: number
  readonly errors: number
  /** What a change of keys was answered meanwhile; null when it was made. */
  readonly keyProblem: string | null
  /** What /readyz said while it could not be written, and at the end. */
  readonly readiness: readonly unknown[]
  /** Of the ledger, at the end. */
  readonly rows: number
  readonly lostRows: number
  readonly pendingRowsAfter: number
  /** What the log says of the ledger. */
  readonly alarms: readonly { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[]
}

const model = 'org/model-a'
const [how = '', folder = ''] = process.argv.slice(2)
const path = join(folder, 'gateway.db')

mount('-t', 'tmpfs', '-o', 'size=2m,mode=700', 'none', folder)
process.stdout.write(`${JSON.stringify(await report())}\n`)

function mount(...args: readonly string[]): void {
  execFileSync('mount', args)
}

async function report(): Promise<DiskReport> {
  await using host = await startLmxDouble({ models: [model] })
  await using gateway = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'lmx' }],
    storage: how === 'refuse' ? { path, whenFull: 'refuse', pendingRowsMax: 10 } : { path },
  })
  const ask = async (count: number): Promise<number[]> => {
    const statuses: number[] = []
    for (let at = 0; at < count; at += 1) {
      const body = JSON.stringify({ model, max_tokens: 3, messages: [{ role: 'user', content: 'go' }] })
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body })
      await answer.text()
      statuses.push(answer.status)
    }
    return statuses
  }
  const alarms = () => gateway.log.filter(({ message }) => message.includes('ledger'))
  const isOver = () => alarms().some(({ message }) => message === 'The ledger is written again')
  const before = await ask(3)
  await eventually(20_000, 'the first rows', () => rowsIn() === 3)
  const undo = how === 'read-only' ? makeReadOnly() : fillDisk()
  const meanwhile = await ask(20)
  await eventually(20_000, 'the alarm', () => alarms().length > 0)
  // Over more than one try.
  await pause(1_500)
  const ready = async (): Promise<unknown> => (await fetch(`${gateway.url}/readyz`)).json()
  const readyMeanwhile = await ready()
  const [pendingRows, errors] = [await gateway.sum('ledger_pending_rows'), await gateway.sum('store_errors_total')]
  const keyProblem = how === 'full' ? await problemOfKey() : null
  undo()
  await eventually(60_000, 'the end of the alarm', isOver)
  const after = await ask(2)
  const statuses = [...before, ...meanwhile, ...after]
  const served = statuses.filter((status) => status === 200).length
  await eventually(20_000, 'the last rows', () => rowsIn() >= served)
  return {
    statuses,
    pendingRows,
    errors,
    keyProblem,
    readiness: [readyMeanwhile, await ready()],
    rows: rowsIn(),
    lostRows: await gateway.sum('usage_rows_lost_total'),
    pendingRowsAfter: await gateway.sum('ledger_pending_rows'),
    alarms: alarms().map(({ message, fields }) => ({ message, fields })),
  }
}

function rowsIn(): number {
  const file = new DatabaseSync(join(folder, 'gateway-usage.db'), { readOnly: true })
  try {
    return Number(file.prepare('SELECT count(*) AS rows FROM requests WHERE "end" IS NOT NULL').get()?.['rows'])
  } finally {
    file.close()
  }
}

/** To the last byte. */
function fillDisk(): () => void {
  const filler = join(folder, 'filler')
  const file = openSync(filler, 'w')
  for (const size of [65_536, 4_096, 1]) {
    try {
      while (writeSync(file, Buffer.alloc(size)) === size);
    } catch (error) {
      if (!String(error).includes('ENOSPC')) throw error
    }
  }
  closeSync(file)
  return () => rmSync(filler)
}

/** Another file system over it, with the same files, which nobody can write. */
function makeReadOnly(): () => void {
  const copy = mkdtempSync(join(tmpdir(), 'lmx-gateway-disk-'))
  cpSync(folder, copy, { recursive: true })
  mount('--bind', copy, folder)
  remountReadOnly()
  return () => {
    // The gateway has files open there.
    execFileSync('umount', ['-l', folder])
    rmSync(copy, { recursive: true })
  }
}

/** While a thread of the gateway has just opened a file there to write, the system says that it is busy. */
function remountReadOnly(triesLeft = 50): void {
  try {
    mount('-o', 'remount,ro,bind', folder)
  } catch (error) {
    if (triesLeft === 0) throw error
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    remountReadOnly(triesLeft - 1)
  }
}

async function problemOfKey(): Promise<string | null> {
  const store = await openStore({ path, role: 'cli' })
  try {
    // Until what the file has left of room within itself is used up.
    for (let at = 0; at < 500; at += 1) {
      const key = keyRecord(`key ${at}`, { id: `k${String(at).padStart(7, '0')}`, tags: { long: 'x'.repeat(4_000) } })
      await store.keys.insert(key, auditEntry('key.create'))
    }
    return null
  } catch (error) {
    return String(error)
  } finally {
    await store.close()
  }
}
