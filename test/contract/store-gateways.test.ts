/** Who may have the files, and what they may look like. */

import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import type { AccessChange, Store } from '../../src/stores/store.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { auditEntry, keyRecord, type ScratchFolder, scratchFolder, settledRow, usageQuery } from '../kit/stored-rows.ts'
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

describe('a second gateway', () => {
  test('G15: is refused at once with a sentence, however it spells the path; the command line is not', async () => {
    const elsewhere = join(folder.path, 'elsewhere')
    mkdirSync(elsewhere)
    symlinkSync(folder.storePath, join(elsewhere, 'link.db'))
    symlinkSync(folder.path, join(elsewhere, 'folder'))
    await using first = new RunningProcess(process.execPath, [childScript, 'hold', folder.storePath], {
      cwd: repositoryRoot,
    })
    await first.said(/holds/)
    const spellings = [
      folder.storePath,
      `${folder.path}/elsewhere/../gateway.db`,
      join(elsewhere, 'link.db'),
      join(elsewhere, 'folder', 'gateway.db'),
    ]
    for (const path of spellings)
      await expect(open(path)).rejects.toThrow(/^Another gateway is running on .*gateway\.db: stop it, or give/)
    const cli = await open(join(elsewhere, 'link.db'), 'cli')
    await cli.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    // The lock goes with the process, however it ends, and what was written stays.
    first.signal('SIGKILL')
    await first.end()
    const next = await open(folder.storePath)
    expect(next.state.keys.map(({ name }) => name)).toEqual(['ci'])
  })

  test('G15: one gateway of the same process neither', async () => {
    const first = await open(folder.storePath)
    await expect(open(folder.storePath)).rejects.toThrow(/Another gateway is running/)
    await expect(open(folder.storePath)).rejects.toThrow(/Another gateway is running/)
    await first.close()
    await open(folder.storePath)
  })

  test('G15: a file that another process holds is waited for off the event loop', async () => {
    const store = await open(folder.storePath)
    await store.ledger.write([settledRow('before', 1)])
    const other = new DatabaseSync(folder.usagePath)
    other.exec('BEGIN IMMEDIATE')
    let isWritten = false
    const write = store.ledger.write([settledRow('after', 1)]).then(() => {
      isWritten = true
      return null
    })
    // A wait on this thread would never let these turns come.
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setTimeout(resolve, 2))
    expect(isWritten).toBe(false)
    other.exec('ROLLBACK')
    other.close()
    await within(seenMsMax, 'the row behind the lock', write)
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 2 }])
  })

  test('G15: a ledger that is held longer than a second is an error that says so, and the rows can be written later', async () => {
    const store = await open(folder.storePath)
    await store.ledger.write([settledRow('before', 1)])
    const other = new DatabaseSync(folder.usagePath)
    other.exec('BEGIN IMMEDIATE')
    await expect(within(seenMsMax, 'the end of patience', store.ledger.write([settledRow('r', 1)]))).rejects.toThrow(
      /gateway-usage\.db was locked by another process for 1 s/,
    )
    other.exec('ROLLBACK')
    other.close()
    await store.ledger.write([settledRow('r', 1)])
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 2 }])
  })
})

const modesIn = (path: string): Record<string, string> =>
  Object.fromEntries(readdirSync(path).map((name) => [name, (statSync(join(path, name)).mode & 0o777).toString(8)]))

// Windows has no such modes.
describe.skipIf(process.platform === 'win32')('modes', () => {
  test('X35: files and folder are for their owner alone, whatever the umask', async () => {
    const umask = process.umask(0)
    try {
      const path = join(folder.path, 'a', 'b', 'gateway.db')
      const store = await open(path)
      await store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
      await store.ledger.write([settledRow('r1', 1)])
      expect(statSync(join(folder.path, 'a')).mode & 0o777).toBe(0o700)
      expect(statSync(join(folder.path, 'a', 'b')).mode & 0o777).toBe(0o700)
      const files = ['gateway.db', 'gateway.db-shm', 'gateway.db-wal', 'gateway.db.lock']
      const usage = ['gateway-usage.db', 'gateway-usage.db-shm', 'gateway-usage.db-wal']
      expect(modesIn(join(folder.path, 'a', 'b'))).toEqual(
        Object.fromEntries([...files, ...usage].map((name) => [name, '600'])),
      )
      expect(store.notes).toEqual([])
    } finally {
      process.umask(umask)
    }
  })

  test.each(['gateway.db', 'gateway-usage.db', 'gateway.db.lock'])(
    'X35: %s that others may read is noted, that they may write refused, with what to run',
    async (name) => {
      await (await open(folder.storePath)).close()
      const path = join(folder.path, name)
      chmodSync(path, 0o640)
      for (const role of ['cli', 'gateway'] as const) {
        const store = await open(folder.storePath, role)
        expect(store.notes).toEqual([expect.stringContaining(`run "chmod 600 `)])
        expect(store.notes[0]).toContain(path)
        await store.close()
      }
      for (const mode of [0o620, 0o602]) {
        chmodSync(path, mode)
        for (const role of ['cli', 'gateway'] as const)
          await expect(open(folder.storePath, role)).rejects.toThrow(
            new RegExp(`^Others may write to .*${name}: run "chmod 600 .*${name}"`),
          )
      }
      chmodSync(path, 0o600)
      expect((await open(folder.storePath)).notes).toEqual([])
    },
  )

  test('X35: a folder in which others may replace or lay files is refused, with what to run or set', async () => {
    await (await open(folder.storePath)).close()
    for (const role of ['cli', 'gateway'] as const) {
      for (const mode of [0o777, 0o770, 0o720, 0o702]) {
        chmodSync(folder.path, mode)
        await expect(open(folder.storePath, role)).rejects.toThrow(
          `Others may replace files in ${folder.path}: run "chmod go-w ${folder.path}".`,
        )
      }
      chmodSync(folder.path, 0o1777)
      await expect(open(folder.storePath, role)).rejects.toThrow(
        /in which others may lay files, too: set storage\.path/,
      )
      // What is beside the store is no matter, as long as its own folder is.
      await (await open(join(folder.path, `own-${role}`, 'gateway.db'), role)).close()
      chmodSync(folder.path, 0o755)
      await (await open(folder.storePath, role)).close()
    }
  })

  test.skipIf(process.getuid?.() !== 0)(
    'X35: what is of another user is refused, with what to run; root is told',
    async () => {
      await (await open(folder.storePath)).close()
      writeFileSync(`${folder.usagePath}-journal`, '', { mode: 0o600 })
      const names = ['gateway.db', 'gateway-usage.db', 'gateway-usage.db-journal', 'gateway.db.lock', '.']
      for (const path of names.map((name) => join(folder.path, name))) {
        chownSync(path, 54_321, 0)
        const problem = `${path}: of another user (54321), who can make keys there`
        const told = await open(folder.storePath, 'cli')
        expect(told.notes).toEqual([expect.stringContaining(problem)])
        // Else there is its log, of the same owner.
        await told.close()
        vi.spyOn(process, 'getuid').mockReturnValue(1)
        for (const role of ['cli', 'gateway'] as const)
          await expect(open(folder.storePath, role)).rejects.toThrow(
            `${problem}: run this as that user, or run "chown 1 ${path}".`,
          )
        vi.restoreAllMocks()
        chownSync(path, 0, 0)
      }
      rmSync(`${folder.usagePath}-journal`)
      await open(folder.storePath)
    },
  )

  test('X35: whoever opens it is its owner, or it is of root', async () => {
    await (await open(folder.storePath)).close()
    const own = process.getuid?.() ?? 0
    vi.spyOn(process, 'getuid').mockReturnValue(own + 1)
    try {
      if (own === 0) expect((await open(folder.storePath, 'cli')).notes).toEqual([])
      else await expect(open(folder.storePath, 'cli')).rejects.toThrow(`of another user (${own})`)
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe('what is no store of this version', () => {
  test('a newer one is refused with a sentence, and left as it is', async () => {
    await (await open(folder.storePath)).close()
    for (const path of [folder.storePath, folder.usagePath]) {
      const file = new DatabaseSync(path)
      const { user_version: form } = file.prepare('PRAGMA user_version').get() as { user_version: number }
      file.exec('PRAGMA user_version = 99')
      await expect(open(folder.storePath)).rejects.toThrow(/was written by a newer lmx-gateway \(its form is 99/)
      file.exec(`PRAGMA user_version = ${form}`)
      file.close()
    }
    await open(folder.storePath)
  })

  test('a database of somebody else is refused and left as it is', async () => {
    const file = new DatabaseSync(folder.storePath)
    file.exec('CREATE TABLE recipes (name TEXT)')
    file.close()
    chmodSync(folder.storePath, 0o600)
    await expect(open(folder.storePath)).rejects.toThrow(/is no file of this program, or is damaged/)
    const after = new DatabaseSync(folder.storePath)
    expect(after.prepare('SELECT name FROM sqlite_schema').all()).toEqual([{ name: 'recipes' }])
    after.close()
  })

  test('an empty keys file is no new store: that would let everybody in', async () => {
    writeFileSync(folder.storePath, '', { mode: 0o600 })
    await expect(open(folder.storePath)).rejects.toThrow(/gateway\.db is empty\. .*put a copy of it in its place/)
  })

  test('a folder that cannot be made is a sentence', async () => {
    writeFileSync(join(folder.path, 'file'), '')
    await expect(open(join(folder.path, 'file', 'gateway.db'))).rejects.toThrow(
      /The folder .* cannot be made \(\w+\): make it, or set storage\.path/,
    )
  })
})

test('S14: a hundred thousand keys are there before the first request, and a change of one is one key', async ({
  annotate,
}) => {
  const count = 100_000
  await (await open(folder.storePath)).close()
  insertMany(folder.storePath, count)
  const beganMs = performance.now()
  // Twenty times the 2 s that it may take.
  const store = await within(40_000, 'the start with all keys', open(folder.storePath))
  await annotate(`${count} keys were opened in ${Math.round(performance.now() - beganMs)} ms`)
  expect(store.state.keys).toHaveLength(count)
  const changes: AccessChange[] = []
  store.watch({ changed: (change) => changes.push(change), unreadable: () => {}, alarm: () => {} })
  const cli = await open(folder.storePath, 'cli')
  const found = await cli.keys.find('key 77777')
  expect(found).not.toBeNull()
  const revoked = { ...found!, revokedAtMs: 1, secrets: [], revision: 2 }
  expect(await cli.keys.replace(revoked, auditEntry('key.revoke'))).toBe(true)
  await eventually(seenMsMax, 'the revocation', () => changes.length > 0)
  expect(changes[0]?.keys).toEqual([revoked])
}, 60_000)

/** In one transaction, as no command does it. */
function insertMany(path: string, count: number): void {
  const file = new DatabaseSync(path)
  file.exec('BEGIN')
  const insert = file.prepare(
    `INSERT INTO keys (id, name, created_at_ms, revision, change, record, check_sum) VALUES (?, ?, ?, 1, ?, ?, ?)`,
  )
  for (let at = 1; at <= count; at += 1) {
    const key = keyRecord(`key ${at}`, { id: String(at).padStart(8, '0'), limits: { tokensPerMinute: at } })
    const text = JSON.stringify(key)
    insert.run(key.id, key.name, key.createdAtMs, at, text, crc32(text))
  }
  file.exec('COMMIT')
  file.close()
}
