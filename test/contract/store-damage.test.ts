/** Bytes that went bad on the disk: keys that cannot be trusted let nobody in, and a ledger that is broken stops nobody. */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StoreError } from '../../src/base/store-error.ts'
import { openStore } from '../../src/stores/open-store.ts'
import type { AccessState, Store } from '../../src/stores/store.ts'
import { openUsage } from '../../src/stores/usage-opening.ts'
import { auditEntry, keyRecord, type ScratchFolder, scratchFolder, settledRow, usageQuery } from '../kit/stored-rows.ts'
import { eventually } from '../kit/within.ts'

/** In the long form at every place that is not a multiple of it. */
const long = process.env['TEST_LONG'] === 'true'
const offsetsTried = long ? 2_000 : 100
const seenMsMax = 20_000

let folder: ScratchFolder

beforeEach(() => {
  folder = scratchFolder()
})
afterEach(() => folder[Symbol.dispose]())

const gateway = (): Promise<Store> => openStore({ path: folder.storePath, role: 'gateway' })

/** Spread over the file, its first hundred bytes, the header, among them; the same each time. */
function offsetsIn(size: number): number[] {
  const header = Array.from({ length: 20 }, (_, at) => at * 5)
  return [
    ...header,
    ...Array.from({ length: offsetsTried - 20 }, (_, at) => Math.floor(((at + 0.5) * size) / (offsetsTried - 20))),
  ]
}

function flipped(bytes: Buffer, offset: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ 0xff
  return copy
}

async function makeKeys(): Promise<AccessState> {
  const store = await openStore({ path: folder.storePath, role: 'cli' })
  for (let at = 0; at < 40; at += 1) {
    const key = keyRecord(`key ${at}`, {
      id: `id${String(at).padStart(6, '0')}`,
      limits: { requestsPerMinute: at + 1 },
    })
    await store.keys.insert(key, auditEntry('key.create', { keyId: key.id }))
    if (at % 4 === 0)
      await store.keys.replace({ ...key, revokedAtMs: at, secrets: [], revision: 2 }, auditEntry('key.revoke'))
  }
  await store.keys.setAdminTokenDigest('cd'.repeat(32), auditEntry('admin-token.create'))
  await store.close()
  return stateOf('cli')
}

async function stateOf(role: 'cli' | 'gateway'): Promise<AccessState> {
  const store = await openStore({ path: folder.storePath, role })
  try {
    return store.state
  } finally {
    await store.close()
  }
}

describe('keys', () => {
  test(`G14: a byte that went bad, at each of ${offsetsTried} places: refused, or all keys are as they were`, async () => {
    const before = await makeKeys()
    expect(before.keys).toHaveLength(40)
    const bytes = readFileSync(folder.storePath)
    let refused = 0
    for (const offset of offsetsIn(bytes.length)) {
      writeFileSync(folder.storePath, flipped(bytes, offset))
      try {
        expect(await stateOf('cli'), `with the byte at ${offset}`).toEqual(before)
      } catch (error) {
        if (!(error instanceof StoreError)) throw error
        refused += 1
      }
      for (const ending of ['-wal', '-shm']) rmSync(folder.storePath + ending, { force: true })
    }
    expect(refused).toBeGreaterThan(offsetsTried / 4)
    writeFileSync(folder.storePath, bytes)
    expect(await stateOf('gateway')).toEqual(before)
  })

  test('G14: one in whose form a name went bad, which SQLite does not mind, is refused as damaged', async () => {
    await makeKeys()
    const bytes = readFileSync(folder.storePath)
    writeFileSync(folder.storePath, flipped(bytes, bytes.indexOf('value TEXT')))
    for (const role of ['cli', 'gateway'] as const)
      await expect(stateOf(role)).rejects.toThrow(/gateway\.db is damaged \(no such column/)
  })

  test('G14: the refusal of a gateway says what to do and what that means, and changes nothing', async () => {
    await makeKeys()
    // In whichever of its copies is the one that counts.
    const text = readFileSync(folder.storePath, 'latin1').replaceAll('requestsPerMinute', 'requestsPerMonth_')
    const damaged = Buffer.from(text, 'latin1')
    writeFileSync(folder.storePath, damaged)
    for (const whenUnwritable of ['refuse', 'serve'] as const)
      await expect(openStore({ path: folder.storePath, role: 'gateway', whenUnwritable })).rejects.toThrow(
        /gateway\.db is damaged .*put a copy of it in its place\. Moved away, a new one is begun: .*clients need none\.$/,
      )
    expect(readFileSync(folder.storePath)).toEqual(damaged)
    expect(readdirSync(folder.path).filter((name) => name.includes('corrupt'))).toEqual([])
  })

  test.each([
    ['half of it', (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)],
    ['nothing of it', () => Buffer.alloc(0)],
    ['another file', () => Buffer.from('name: value\n'.repeat(1_000))],
    ['zeros', (bytes: Buffer) => Buffer.alloc(bytes.length)],
  ])('G14: %s in its place is refused', async (_what, made) => {
    await makeKeys()
    writeFileSync(folder.storePath, made(readFileSync(folder.storePath)))
    await expect(gateway()).rejects.toThrow(/put a copy of it in its place/)
  })

  test('G14: keys that become unreadable under a running gateway are told, and the ledger goes on', async () => {
    await makeKeys()
    const store = await gateway()
    const problems: (string | null)[] = []
    store.watch({ changed: () => {}, unreadable: (problem) => problems.push(problem), alarm: () => {} })
    const damaged = flipped(readFileSync(folder.storePath), 30)
    rmSync(folder.storePath)
    writeFileSync(folder.storePath, damaged, { mode: 0o600 })
    await eventually(seenMsMax, 'the alarm', () => problems.length > 0)
    await store.ledger.write([settledRow('r1', 1)])
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 1 }])
    expect(problems).toHaveLength(1)
    await store.close()
  })
})

const corruptFiles = (): string[] => readdirSync(folder.path).filter((name) => name.includes('.corrupt-'))

async function makeUsage(): Promise<Buffer> {
  const store = await gateway()
  const rows = Array.from({ length: 400 }, (_, at) => settledRow(`request ${at}`, at))
  await store.ledger.write(rows)
  await store.close()
  return readFileSync(folder.usagePath)
}

describe('the ledger', () => {
  test(`G14: a byte that went bad, at each of ${offsetsTried} places: set aside, or used; the rows that come are written in any case`, async () => {
    const bytes = await makeUsage()
    let setAside = 0
    for (const offset of offsetsIn(bytes.length)) {
      writeFileSync(folder.usagePath, flipped(bytes, offset))
      let opened: ReturnType<typeof openUsage>
      try {
        opened = openUsage(folder.usagePath, { endsUnfinished: true, whenUnwritable: 'refuse' })
      } catch (error) {
        // The one place that says which form the file has.
        expect(String(error), `with the byte at ${offset}`).toMatch(/written by a newer lmx-gateway/)
        continue
      }
      const { usage, notes } = opened
      const row = settledRow(`new ${offset}`, 1, { admitted: { keyName: 'new' } })
      await usage.write([row])
      expect(await usage.usage(usageQuery({ key: 'new' })), `with the byte at ${offset}`).toMatchObject([
        { requests: 1 },
      ])
      const [all] = await usage.usage(usageQuery())
      usage.close()
      const aside = corruptFiles()
      if (notes.length > 0) {
        setAside += 1
        expect(notes).toEqual([expect.stringMatching(/^THE LEDGER WAS DAMAGED and is set aside as .*\.corrupt-/)])
        expect(all?.requests).toBe(1)
        expect(readFileSync(join(folder.path, aside.find((name) => !/-(?:wal|shm)$/.test(name))!))).toEqual(
          flipped(bytes, offset),
        )
      } else expect(all?.requests, `with the byte at ${offset}`).toBe(401)
      for (const name of readdirSync(folder.path)) if (name.includes('usage')) rmSync(join(folder.path, name))
    }
    expect(setAside).toBeGreaterThan(offsetsTried / 10)
  })

  test.each(['model TEXT', 'cost_nanos INTEGER', 'TABLE requests'])(
    'G14: one in whose form a name went bad (%s), which SQLite does not mind, is set aside',
    async (name) => {
      const bytes = await makeUsage()
      const at = bytes.indexOf(name)
      expect(at).toBeGreaterThan(0)
      writeFileSync(folder.usagePath, flipped(bytes, at + name.search(/[a-z]/)))
      const { usage, notes } = openUsage(folder.usagePath, { endsUnfinished: true, whenUnwritable: 'refuse' })
      expect(notes).toEqual([expect.stringMatching(/^THE LEDGER WAS DAMAGED/)])
      await usage.write([settledRow('new', 1)])
      expect(await usage.usage(usageQuery())).toMatchObject([{ requests: 1 }])
      usage.close()
    },
  )

  test('G14: a gateway starts with a damaged one, has its keys, and shouts', async () => {
    await makeKeys()
    const bytes = await makeUsage()
    writeFileSync(folder.usagePath, bytes.subarray(0, bytes.length - 6_000))
    const store = await gateway()
    expect(store.state.keys).toHaveLength(40)
    expect(store.notes).toEqual([expect.stringMatching(/^THE LEDGER WAS DAMAGED .*sqlite3 .* \.recover$/)])
    expect(corruptFiles().length).toBeGreaterThan(0)
    await store.ledger.write([settledRow('new', 1)])
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 1 }])
    await store.close()
    expect((await openedNotes()).length).toBe(0)
  })

  test('G14: the command line leaves a damaged one where it is', async () => {
    const bytes = await makeUsage()
    writeFileSync(folder.usagePath, bytes.fill(0, 0, 4_096))
    const store = await openStore({ path: folder.storePath, role: 'cli' })
    await expect(store.ledger.usage(usageQuery())).rejects.toThrow(/gateway-usage\.db is damaged/)
    await store.close()
    expect(corruptFiles()).toEqual([])
  })

  test('G14: one that is damaged under a running gateway is an error for its rows, and nothing else', async () => {
    const bytes = await makeUsage()
    const store = await gateway()
    rmSync(folder.usagePath)
    writeFileSync(folder.usagePath, bytes.fill(0, 0, 4_096), { mode: 0o600 })
    await expect(store.ledger.write([settledRow('r', 1)])).rejects.toBeInstanceOf(StoreError)
    await expect(store.ledger.write([settledRow('r', 1)])).rejects.toThrow(/gateway-usage\.db is damaged/)
    await store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    // Once it is out of the way, the rows that were kept can be written.
    rmSync(folder.usagePath)
    await store.ledger.write([settledRow('r', 1)])
    expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 1 }])
    await store.close()
  })
})

async function openedNotes(): Promise<readonly string[]> {
  const store = await gateway()
  await store.close()
  return store.notes
}
