/** A store whose disk is full or read-only, on file systems that only the test has. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import type { DiskReport } from '../kit/ledger-disk.ts'
import type { OpenReport } from '../kit/store-child.ts'
import { auditEntry, keyRecord, type ScratchFolder, scratchFolder, settledRow } from '../kit/stored-rows.ts'

const diskScript = fileURLToPath(new URL('../kit/ledger-disk.ts', import.meta.url))
const childScript = fileURLToPath(new URL('../kit/store-child.ts', import.meta.url))

/** File systems of a process's own are Linux's, and for whoever may make them. */
const canMount =
  process.platform === 'linux' && spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

let folder: ScratchFolder
beforeEach(() => {
  folder = scratchFolder()
})
afterEach(() => folder[Symbol.dispose]())

async function reported<Report>(args: readonly string[]): Promise<Report> {
  await using run = new RunningProcess('unshare', ['-rm', ...args], { cwd: repositoryRoot })
  return JSON.parse(await run.said(/^\{.*\}$/m, 90_000)) as Report
}

const served = Array.from({ length: 25 }, () => 200)

describe.skipIf(!canMount)('while the gateway runs', () => {
  const onDisk = (how: 'full' | 'refuse' | 'read-only') =>
    reported<DiskReport>([process.execPath, diskScript, how, folder.path])

  test('G12: the disk is full: requests are served, one alarm says what to do, and nothing is lost once there is room', async () => {
    const { statuses, rows, alarms, keyProblem, readiness, errors, pendingRows, ...after } = await onDisk('full')
    expect(pendingRows).toBeGreaterThan(0)
    expect(errors).toBeGreaterThan(0)
    expect(after).toEqual({ lostRows: 0, pendingRowsAfter: 0 })
    expect(statuses).toEqual(served)
    expect(readiness).toEqual([{ status: 'ready', degraded: 'the ledger cannot be written' }, { status: 'ready' }])
    expect(rows).toBe(25)
    expect(alarms.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^The ledger cannot be written: requests are served/),
      'The ledger is written again',
    ])
    expect(alarms[0]?.fields['problem']).toMatch(
      /gateway-usage\.db cannot be (?:written, since its disk is full|read or written .* may be full)/,
    )
    expect(alarms[1]?.fields).toMatchObject({ lostRows: 0 })
    expect(keyProblem).toMatch(/^StoreError: .*gateway\.db cannot be .*full/)
  }, 120_000)

  test('G12: told to refuse once it cannot hold more rows, it answers 503 until it can', async () => {
    const { statuses, readiness, ...report } = await onDisk('refuse')
    const refusedFrom = statuses.indexOf(503)
    expect(refusedFrom).toBeGreaterThanOrEqual(3 + 10)
    expect(statuses).toEqual(served.map((status, at) => (at >= refusedFrom && at < 23 ? 503 : status)))
    expect(readiness).toEqual([{ status: 'unavailable', reason: 'the ledger cannot be written' }, { status: 'ready' }])
    expect(report).toMatchObject({ rows: refusedFrom + 2, lostRows: 0, pendingRowsAfter: 0 })
  }, 120_000)

  test('G13: it becomes read-only: as with a full disk', async () => {
    const { statuses, rows, alarms } = await onDisk('read-only')
    expect(statuses).toEqual(served)
    expect(rows).toBe(25)
    expect(alarms.map(({ fields }) => String(fields['problem']))).toContainEqual(expect.stringContaining('read-only'))
    expect(alarms.at(-1)).toMatchObject({ message: 'The ledger is written again', fields: { lostRows: 0 } })
  }, 120_000)
})

describe.skipIf(!canMount)('at a start', () => {
  const openReadOnly = (whenUnwritable: 'refuse' | 'serve') => {
    const mounted = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
    const open = [process.execPath, childScript, 'open', folder.storePath, whenUnwritable]
    return reported<OpenReport>(['sh', '-c', mounted, 'sh', folder.path, ...open])
  }

  async function fill(): Promise<void> {
    const store = await openStore({ path: folder.storePath, role: 'gateway' })
    await store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await store.ledger.write([settledRow('r1', 1)])
    await store.close()
  }

  /** As a gateway leaves it that was killed: what came last stands in the log alone. */
  async function fillAndKill(): Promise<void> {
    await using gateway = new RunningProcess(process.execPath, [childScript, 'hold', folder.storePath], {
      cwd: repositoryRoot,
    })
    await gateway.said(/holds/)
    const cli = await openStore({ path: folder.storePath, role: 'cli' })
    await cli.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await cli.close()
    gateway.signal('SIGKILL')
    await gateway.end()
  }

  test('G13: files that cannot be written are refused, with the ways out', async () => {
    await fill()
    const before = readdirSync(folder.path)
    const { refused } = await openReadOnly('refuse')
    expect(refused).toMatch(
      /^StoreError: .*cannot be written by this process: make them writable, or set storage\.whenUnwritable/,
    )
    expect(readdirSync(folder.path)).toEqual(before)
  })

  test.each([
    ['that were closed', fill],
    ['of a gateway that was killed', fillAndKill],
  ])('G13: told to serve nevertheless, it has the keys of files %s, and says so', async (_which, make) => {
    await make()
    const report = await openReadOnly('serve')
    expect(report).toMatchObject({ refused: null, keyNames: ['ci'] })
    expect(report.notes.join('\n')).toMatch(/gateway\.db cannot be written\. Keys hold as they are/)
    expect(report.keyProblem).toMatch(/^StoreError: .*gateway\.db cannot be written by the gateway/)
    expect(report.rowProblem).toMatch(/^StoreError: .*gateway-usage\.db/)
  })

  test('G13: with no files there is nothing to serve', async () => {
    expect((await openReadOnly('serve')).refused).toMatch(/^StoreError: .*cannot be made, since this process may not/)
    rmSync(folder.path, { recursive: true })
    mkdirSync(folder.path, { mode: 0o700 })
    expect((await openReadOnly('refuse')).refused).toMatch(/^StoreError: .*cannot be made, since this process may not/)
  })
})
