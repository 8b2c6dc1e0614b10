/** A gateway that is killed outright, at any moment: what the ledger was told to have, it has, and no row of it twice. */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { type ScratchFolder, scratchFolder } from '../kit/stored-rows.ts'

const kills = process.env['TEST_LONG'] === 'true' ? 200 : 20
const childScript = fileURLToPath(new URL('../kit/ledger-child.ts', import.meta.url))

interface Known {
  readonly output: number
  readonly isSettled: boolean
}

interface StoredRow {
  readonly id: string
  readonly output: number
  readonly end: string | null
}

/** What a killed process had been told to be written, and what it had only begun to write. */
interface Told {
  readonly written: ReadonlyMap<string, Known>
  readonly begun: ReadonlyMap<string, Known>
}

function toldBy(out: string): Told {
  const batches = new Map<string, [string, Known][]>()
  const written = new Map<string, Known>()
  // The last line may be half of one.
  for (const line of out.split('\n').slice(0, -1)) {
    const [kind, number = '', ...rows] = line.split(' ')
    if (kind === 'b') batches.set(number, rows.map(knownOf))
    if (kind !== 'w') continue
    for (const [id, known] of batches.get(number)!) written.set(id, known)
    batches.delete(number)
  }
  expect(batches.size).toBeLessThanOrEqual(1)
  return { written, begun: new Map([...batches.values()].flat()) }
}

function knownOf(text: string): [string, Known] {
  const [id = '', output = ''] = text.split('=')
  return [id, { output: Number.parseInt(output, 10), isSettled: output.endsWith('!') }]
}

function rowsIn({ usagePath }: ScratchFolder): ReadonlyMap<string, StoredRow> {
  const file = new DatabaseSync(usagePath)
  try {
    expect(file.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    const rows = file.prepare('SELECT id, output, "end" FROM requests').all() as unknown as StoredRow[]
    const byId = new Map(rows.map((row) => [row.id, row]))
    expect(rows, 'no row is there twice').toHaveLength(byId.size)
    return byId
  } finally {
    file.close()
  }
}

/** As a batch that was written says, or as a later one that may have been. */
function expectRow(row: StoredRow, written: Known | undefined, begun: Known | undefined): void {
  const possible = [written, begun].filter((known) => known !== undefined)
  expect(possible).toContainEqual({ output: row.output, isSettled: row.end === '--' })
}

test(
  `G05, G06: killed ${kills} times under load, it has every row that was written, as it was written last`,
  async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const everWritten = new Map<string, Known>()
    let cutShort = 0
    let checkpoints = 0
    for (let kill = 0; kill < kills; kill += 1) {
      // In the middle of a write every other time, else at any time.
      const isInWrite = kill % 2 === 0
      const inWrite = [String(2 + (kill % 3)), String((kill * 0.37) % 6)]
      const args = [childScript, folder.storePath, `k${kill}`, ...(isInWrite ? inWrite : [])]
      await using child = new RunningProcess(process.execPath, args, { cwd: repositoryRoot })
      await child.said(/^runs$/m)
      if (!isInWrite) {
        await pause((kill * 137) % 700)
        child.signal('SIGKILL')
      }
      await child.end()
      const { written, begun } = toldBy(child.out)
      checkpoints = Math.max(checkpoints, child.out.match(/-long0=/g)?.length ?? 0)
      const rows = rowsIn(folder)
      for (const [id, known] of written) expect(rows.has(id), `${id}, ${JSON.stringify(known)}`).toBe(true)
      for (const [id, row] of rows) if (id.startsWith(`k${kill}-`)) expectRow(row, written.get(id), begun.get(id))
      // All of a batch or nothing of it.
      const newOnes = [...begun.keys()].filter((id) => !written.has(id))
      expect([0, newOnes.length]).toContain(newOnes.filter((id) => rows.has(id)).length)
      for (const [id, { output, isSettled }] of everWritten)
        expect(rows.get(id)).toEqual({ id, output, end: isSettled ? '--' : 'aborted_unknown' })
      for (const [id, row] of rows) everWritten.set(id, { output: row.output, isSettled: row.end === '--' })
      cutShort += [...rows.values()].filter(({ end }) => end === null).length
      await expectEnded(folder, everWritten)
    }
    expect(cutShort).toBeGreaterThan(kills)
    expect(checkpoints, 'batches with what one stream had generated so far').toBeGreaterThan(1)
  },
  kills * 6_000,
)

/** By the next gateway: what was known of a request stays, and it is said that nobody knows how it ended. */
async function expectEnded(folder: ScratchFolder, known: ReadonlyMap<string, Known>): Promise<void> {
  const store = await openStore({ path: folder.storePath, role: 'gateway' })
  expect(store.notes).toEqual([])
  await store.close()
  const rows = rowsIn(folder)
  expect(rows.size).toBe(known.size)
  for (const [id, { output, isSettled }] of known)
    expect(rows.get(id)).toEqual({ id, output, end: isSettled ? '--' : 'aborted_unknown' })
}
