/** What others do to the files while a gateway has them, and what becomes of its threads. */

import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import type { AccessChange, Store } from '../../src/stores/store.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import {
  admittedRequest,
  auditEntry,
  keyRecord,
  type ScratchFolder,
  scratchFolder,
  settledRow,
  storedAtMs,
  usageQuery,
} from '../kit/stored-rows.ts'
import { eventually, within } from '../kit/within.ts'

const childScript = fileURLToPath(new URL('../kit/store-child.ts', import.meta.url))
/** Twenty times what is promised, so that a busy machine is no failure. */
const seenMsMax = 20_000

let folder: ScratchFolder
const opened: Store[] = []

beforeEach(() => {
  folder = scratchFolder()
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  folder[Symbol.dispose]()
})

async function open(path: string, role: 'gateway' | 'cli' = 'gateway'): Promise<Store> {
  const store = await openStore({ path, role })
  opened.push(store)
  return store
}

describe('a lock that somebody removes', () => {
  test('G15: is taken anew before a second gateway can start, and that is told', async () => {
    const gateway = await open(folder.storePath)
    const alarms: string[] = []
    gateway.watch({ changed: () => {}, unreadable: () => {}, alarm: (problem) => alarms.push(problem) })
    for (const times of [1, 2]) {
      rmSync(`${folder.storePath}.lock`)
      await eventually(seenMsMax, 'the alarm', () => alarms.length === times)
      expect(alarms.at(-1)).toMatch(/gateway\.db\.lock was removed while the gateway runs: it is there again/)
      await expect(open(folder.storePath)).rejects.toThrow(/Another gateway is running/)
    }
    await gateway.close()
    await open(folder.storePath)
  })

  test('G15: that another gateway has by then is told, once', async () => {
    const gateway = await open(folder.storePath)
    const lock = `${folder.storePath}.lock`
    const other = `${lock}.other`
    writeFileSync(other, '', { mode: 0o600 })
    const second = new DatabaseSync(other)
    second.exec('BEGIN EXCLUSIVE')
    renameSync(other, lock)
    const alarms: string[] = []
    const changes: AccessChange[] = []
    gateway.watch({
      changed: (change) => changes.push(change),
      unreadable: () => {},
      alarm: (problem) => alarms.push(problem),
    })
    await eventually(seenMsMax, 'the alarm', () => alarms.length > 0)
    expect(alarms).toEqual([expect.stringMatching(/cannot be had again\. Another gateway is running/)])
    // Revocations are seen nevertheless.
    const cli = await open(folder.storePath, 'cli')
    await cli.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await eventually(seenMsMax, 'the new key', () => changes.length === 1)
    expect(alarms).toHaveLength(1)
    second.close()
  })
})

describe('the first of several processes', () => {
  test.each(['gateway', 'cli'])('makes the keys file, and another (%s) waits until it is made', async (role) => {
    writeFileSync(`${folder.storePath}-wal`, 'left by one that was moved away', { mode: 0o600 })
    writeFileSync(`${folder.storePath}.lock`, '', { mode: 0o600 })
    const making = new DatabaseSync(`${folder.storePath}.lock`)
    making.exec('BEGIN IMMEDIATE')
    const asked = [childScript, 'open', folder.storePath, 'refuse', role]
    await using child = new RunningProcess(process.execPath, asked, { cwd: repositoryRoot })
    // Some ten times what it takes without the lock: until then a process that would not wait has made it.
    for (let turn = 0; turn < 100 && !existsSync(folder.storePath); turn += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    expect(existsSync(folder.storePath)).toBe(false)
    expect(existsSync(`${folder.storePath}-wal`)).toBe(true)
    making.close()
    await child.said(/"refused":null,"keyNames":\[\]/)
    await child.end()
    expect(readdirSync(folder.path).filter((name) => name.includes('.left-'))).toHaveLength(1)
  })

  test('sets the log of an older one aside, once, and none of the keys made at once is lost', async () => {
    writeFileSync(`${folder.storePath}-wal`, 'left by one that was moved away', { mode: 0o600 })
    const cli = await Promise.all(Array.from({ length: 8 }, () => open(folder.storePath, 'cli')))
    const first = await Promise.all(
      cli.map((store, at) => store.keys.insert(keyRecord(`key ${at}`), auditEntry('key.create'))),
    )
    expect(first.filter((isFirst) => isFirst)).toHaveLength(1)
    expect((await open(folder.storePath)).state.keys).toHaveLength(8)
  })

  test('is not the command line where a gateway runs whose keys were moved away', async () => {
    await open(folder.storePath)
    renameSync(folder.storePath, `${folder.storePath}.away`)
    await expect(open(folder.storePath, 'cli')).rejects.toThrow(/gateway\.db is gone, although a gateway is running/)
    expect(existsSync(folder.storePath)).toBe(false)
  })
})

describe('what others change', () => {
  test('a key made, changed and revoked by the command line is known to the gateway', async () => {
    const gateway = await open(folder.storePath)
    const changes: AccessChange[] = []
    gateway.watch({ changed: (change) => changes.push(change), unreadable: () => {}, alarm: () => {} })
    const cli = await open(folder.storePath, 'cli')
    const key = keyRecord('ci')
    await cli.keys.insert(key, auditEntry('key.create'))
    await eventually(seenMsMax, 'the new key', () => changes.length === 1)
    expect(changes[0]).toEqual({ keys: [key], keysEverCreated: true, adminTokenDigest: null })
    const revoked = { ...key, revokedAtMs: 1, endsStreams: true, secrets: [], revision: 2 }
    await cli.keys.replace(revoked, auditEntry('key.revoke'))
    await eventually(seenMsMax, 'its revocation', () => changes.length === 2)
    expect(changes[1]?.keys).toEqual([revoked])
    await cli.keys.setAdminTokenDigest('cd'.repeat(32), auditEntry('admin-token.rotate'))
    await eventually(seenMsMax, 'the new admin token', () => changes.length === 3)
    expect(changes[2]).toEqual({ keys: [], keysEverCreated: true, adminTokenDigest: 'cd'.repeat(32) })
  })

  test('a revocation is known while another process holds the ledger', async () => {
    const gateway = await open(folder.storePath)
    const changes: AccessChange[] = []
    gateway.watch({ changed: (change) => changes.push(change), unreadable: () => {}, alarm: () => {} })
    const cli = await open(folder.storePath, 'cli')
    await gateway.ledger.write([settledRow('before', 1)])
    const other = new DatabaseSync(folder.usagePath)
    other.exec('BEGIN IMMEDIATE')
    // A second is what a write waits; on a busy machine that can pass before the other thread has its turn.
    const rounds = 20
    let isSeenFirst = false
    for (let round = 0; round < rounds && !isSeenFirst; round += 1) {
      let isWaiting = true
      const write = gateway.ledger.write([settledRow('after', 1)]).catch(() => {})
      const ended = write.finally(() => {
        isWaiting = false
      })
      await new Promise((resolve) => setTimeout(resolve, 50))
      const id = `revoked${round}`
      await cli.keys.insert(keyRecord(id, { id, revokedAtMs: 1, secrets: [] }), auditEntry('key.revoke'))
      const isSeen = (): boolean => changes.some(({ keys }) => keys.some((key) => key.id === id))
      await eventually(seenMsMax, 'the revocation, or the end of the write', () => !isWaiting || isSeen())
      isSeenFirst = isWaiting && isSeen()
      await ended
    }
    expect(isSeenFirst).toBe(true)
    other.exec('ROLLBACK')
    other.close()
  })

  test.each(['a copy', 'an older copy that is moved there', 'nothing, the folder is gone'])(
    'in place of the keys file there is %s: no change is confirmed, and nothing of it is written',
    async (what) => {
      const at = join(folder.path, 'sub', 'gateway.db')
      const gateway = await open(at)
      await gateway.keys.insert(keyRecord('ci'), auditEntry('key.create'))
      const copy = join(folder.path, 'backup.db')
      copyFileSync(at, copy)
      if (what === 'a copy') {
        rmSync(at)
        copyFileSync(copy, at)
      } else if (what.startsWith('an older')) renameSync(copy, at)
      else rmSync(join(folder.path, 'sub'), { recursive: true })
      const bytes = existsSync(at) ? readFileSync(at) : null
      const revoked = { ...keyRecord('ci'), revokedAtMs: 1, secrets: [], revision: 2 }
      const moved = /gateway\.db was moved, removed or replaced while it was in use/
      await expect(gateway.keys.replace(revoked, auditEntry('key.revoke'))).rejects.toThrow(moved)
      await expect(gateway.keys.insert(keyRecord('new'), auditEntry('key.create'))).rejects.toThrow(moved)
      const rotated = gateway.keys.setAdminTokenDigest('cd'.repeat(32), auditEntry('admin-token.rotate'))
      await expect(rotated).rejects.toThrow(moved)
      expect(existsSync(at) ? readFileSync(at) : null).toEqual(bytes)
      await gateway.close()
      if (bytes !== null) expect((await open(at)).state.keys.map(({ name }) => name)).toEqual(['ci'])
    },
  )

  test('keys are in order of creation after a restart too, whichever was changed last', async () => {
    const before = await open(folder.storePath)
    for (const [at, name] of ['a', 'b', 'c'].entries())
      await before.keys.insert(keyRecord(name, { createdAtMs: storedAtMs + at }), auditEntry('key.create'))
    const changed = keyRecord('a', { createdAtMs: storedAtMs, weight: 2, revision: 2 })
    expect(await before.keys.replace(changed, auditEntry('key.change'))).toBe(true)
    await before.close()
    expect((await open(folder.storePath)).state.keys.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })

  test('what was changed between the opening and the first look is known too', async () => {
    const gateway = await open(folder.storePath)
    const cli = await open(folder.storePath, 'cli')
    await cli.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    const changes: AccessChange[] = []
    gateway.watch({ changed: (change) => changes.push(change), unreadable: () => {}, alarm: () => {} })
    await eventually(seenMsMax, 'the new key', () => changes.length === 1)
    expect(changes[0]?.keys.map(({ name }) => name)).toEqual(['ci'])
  })

  test('a keys file that is moved away is told once, and so is that it is back', async () => {
    const gateway = await open(folder.storePath)
    const problems: (string | null)[] = []
    gateway.watch({ changed: () => {}, unreadable: (problem) => problems.push(problem), alarm: () => {} })
    renameSync(folder.storePath, `${folder.path}/away.db`)
    await eventually(seenMsMax, 'the alarm', () => problems.length === 1)
    expect(problems[0]).toMatch(/gateway\.db was moved, removed or replaced/)
    renameSync(`${folder.path}/away.db`, folder.storePath)
    await eventually(seenMsMax, 'the end of the alarm', () => problems.length === 2)
    expect(problems[1]).toBeNull()
  })

  test('a ledger that is moved away is said, and the next rows are in the one that is there then', async () => {
    const gateway = await open(folder.storePath)
    await gateway.ledger.write([settledRow('r1', 1)])
    renameSync(folder.usagePath, `${folder.usagePath}.away`)
    await expect(gateway.ledger.write([settledRow('r2', 1)])).rejects.toThrow(/gateway-usage\.db was moved/)
    await gateway.ledger.write([settledRow('r2', 1)])
    expect(existsSync(folder.usagePath)).toBe(true)
    expect(await gateway.ledger.usage(usageQuery())).toMatchObject([{ requests: 1 }])
  })
})

describe('the thread of a gateway', () => {
  const diedOf = /The thread of the store has ended/

  test('of the ledger dies: what was asked of it fails, and another one goes on with the same rows', async () => {
    const threads = vi.spyOn(Worker.prototype, 'postMessage')
    const store = await open(folder.storePath)
    const problems: (string | null)[] = []
    store.watch({ changed: () => {}, unreadable: (problem) => problems.push(problem), alarm: () => {} })
    await store.ledger.write([{ admitted: admittedRequest('runs'), figures: null, settled: null }])
    const thread = threads.mock.contexts.at(-1) as Worker
    // First, so that it cannot answer any more.
    const died = thread.terminate()
    await expect(store.ledger.usage(usageQuery())).rejects.toThrow(diedOf)
    await died
    await expect(store.ledger.write([settledRow('runs', 5)])).rejects.toThrow(diedOf)
    let sums: unknown = null
    while (sums === null) {
      sums = await store.ledger.usage(usageQuery()).catch(() => null)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    // A request that ran meanwhile is alive.
    expect(sums).toMatchObject([{ requests: 1, unfinished: 1 }])
    await store.ledger.write([settledRow('runs', 5)])
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 1, unfinished: 0, output: 5 }])
    // The keys have another one.
    expect(problems).toEqual([])
    await store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
  })

  test('of the keys dies: that is said, and another one sees what is changed', async () => {
    const threads = vi.spyOn(Worker.prototype, 'postMessage')
    const store = await open(folder.storePath)
    const changes: AccessChange[] = []
    const problems: (string | null)[] = []
    store.watch({
      changed: (change) => changes.push(change),
      unreadable: (problem) => problems.push(problem),
      alarm: () => {},
    })
    const thread = threads.mock.contexts.at(-1) as Worker
    const died = thread.terminate()
    await expect(store.keys.list()).rejects.toThrow(diedOf)
    await died
    await eventually(seenMsMax, 'the next thread', () => problems.length === 2)
    expect(problems).toEqual([expect.stringMatching(diedOf), null])
    const cli = await open(folder.storePath, 'cli')
    await cli.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await eventually(seenMsMax, 'the new key', () => changes.some(({ keys }) => keys.length === 1))
  })

  test('of the keys dies and cannot be replaced: each question is answered all the same, until it can be', async () => {
    const threads = vi.spyOn(Worker.prototype, 'postMessage')
    const store = await open(folder.storePath)
    const problems: (string | null)[] = []
    store.watch({ changed: () => {}, unreadable: (problem) => problems.push(problem), alarm: () => {} })
    await store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    const bytes = readFileSync(folder.storePath)
    writeFileSync(folder.storePath, 'name: value\n'.repeat(1_000))
    await (threads.mock.contexts.at(-1) as Worker).terminate()
    const asked: Promise<unknown>[] = []
    const ask = (): boolean => {
      asked.push(store.keys.find('ci').catch(() => {}))
      return problems.length > 1
    }
    await eventually(seenMsMax, 'the refusal of the next thread', ask)
    await within(seenMsMax, 'an answer to each', Promise.all(asked))
    expect(problems.at(-1)).toMatch(/gateway\.db is damaged/)
    for (const ending of ['-wal', '-shm']) rmSync(folder.storePath + ending, { force: true })
    writeFileSync(folder.storePath, bytes)
    await eventually(seenMsMax, 'the next thread', () => problems.at(-1) === null)
    expect((await store.keys.find('ci'))?.name).toBe('ci')
  })

  test('ends a long removal at its next slice when the store is closed', async () => {
    const store = await open(folder.storePath)
    for (let batch = 0; batch < 20; batch += 1)
      await store.ledger.write(Array.from({ length: 500 }, (_, at) => settledRow(`r${batch}-${at}`, 1)))
    const pruned = expect(store.ledger.prune(Number.MAX_SAFE_INTEGER)).rejects.toThrow(/is closed|has ended/)
    await store.close()
    await pruned
    const next = await open(folder.storePath)
    const [left] = await next.ledger.usage(usageQuery())
    expect(left?.requests).toBeLessThan(10_000)
    expect(left?.requests).toBeGreaterThan(0)
  })
})
