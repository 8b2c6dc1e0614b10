/** What a ledger's file hands out and takes in. */
import { DatabaseSync } from 'node:sqlite'
import { expect, onTestFinished, test } from 'vitest'
import type { HandedOut } from '../../../src/stores/usage-exchange.ts'
import { UsageFile } from '../../../src/stores/usage-file.ts'
import {
  admittedRequest,
  figuresSoFar,
  scratchFolder,
  settledRequest,
  settledRow,
  usageQuery,
} from '../../kit/stored-rows.ts'

function file(path = ':memory:', handsOver = true, endsUnfinished = false): UsageFile {
  const opened = new UsageFile(path, { endsUnfinished, creates: true, handsOver })
  onTestFinished(() => opened.close())
  return opened
}

const progress = (id: string, output: number, host = 'studio') => ({
  admitted: admittedRequest(id),
  figures: figuresSoFar(output, { host }),
  settled: null,
})

async function textOf(from: UsageFile): Promise<string> {
  const out = await from.handOut(100)
  if (out === null) throw new Error('nothing to hand out')
  await from.handedOut(out.number)
  return out.text
}

function idsOf(out: HandedOut | null): readonly unknown[] {
  const rows = JSON.parse(out?.text ?? '[]') as unknown[][]
  return rows.map(([id]) => id)
}

const position = { stream: 's', place: '1-1' }
const taken = (...texts: readonly string[]) => ({ batches: texts.map((text) => ({ from: 'a', text })), position })
const sum = async (one: UsageFile) => (await one.usage(usageQuery()))[0]

test('what is written by a gateway that stands alone waits for nobody', async () => {
  const alone = file(':memory:', false)
  await alone.write([settledRow('r1', 1)])
  expect(await alone.handOut(100)).toBeNull()
  expect(await alone.waitingRows()).toEqual({ rows: 0, sinceMs: null })
  // One that joins others later gives what is recent.
  expect(await alone.handAnew(0)).toBe(1)
  expect(await alone.handOut(100)).toMatchObject({ rows: 1 })
})

test('the oldest is handed out first, and each until it was handed out as it is', async () => {
  const own = file()
  await own.write([progress('r1', 1)])
  await own.write([settledRow('r2', 2)])
  const first = await own.handOut(1)
  expect(first).toMatchObject({ rows: 1, number: 1 })
  expect(idsOf(first)).toEqual(['r1'])
  expect((await own.waitingRows()).rows).toBe(2)
  await own.write([settledRow('r1', 5)])
  await own.handedOut(first!.number)
  expect(idsOf(await own.handOut(10))).toEqual(['r2', 'r1'])
  await textOf(own)
  expect(await own.waitingRows()).toEqual({ rows: 0, sinceMs: null })
})

test('what was handed out before the last time is not taken for it', async () => {
  const own = file()
  await own.write([settledRow('r1', 1)])
  const [first, second] = [await own.handOut(10), await own.handOut(10)]
  await own.handedOut(first!.number)
  expect((await own.waitingRows()).rows).toBe(1)
  await own.handedOut(second!.number)
  expect((await own.waitingRows()).rows).toBe(0)
})

test('a row is the same at the other end', async () => {
  const [own, other] = [file(), file()]
  await own.write([
    settledRow('r1', 7, {
      admitted: { team: 'red', keyName: 'über — 成本', stream: false, requestId: 'a\u{0}b' },
      settled: { costNanos: 12, errorCode: 'x', ttftMs: null, reasoning: 3, host: null },
    }),
  ])
  expect(await other.takeIn(taken(await textOf(own)))).toEqual({ rows: 1, unknownRows: 0 })
  for (const by of [['key'], ['team'], ['host'], ['day']] as const)
    expect(await other.usage(usageQuery({ by }))).toEqual(await own.usage(usageQuery({ by })))
  expect(await other.charges(0)).toEqual(await own.charges(0))
  expect(await other.position()).toEqual(position)
  // What others gave is not given on.
  expect(await other.handOut(100)).toBeNull()
  expect(await other.handAnew(0)).toBe(0)
})

test('states that come again or late change nothing for the worse', async () => {
  const [own, other] = [file(), file()]
  const texts: string[] = []
  for (const row of [
    { ...progress('r1', 0), figures: null },
    progress('r1', 3),
    progress('r1', 9),
    settledRow('r1', 9),
  ]) {
    await own.write([row])
    texts.push(await textOf(own))
  }
  const [admitted = '', early = '', late = '', end = ''] = texts
  const seen: string[] = []
  for (const text of [early, admitted, late, early, end, late, admitted, end]) {
    await other.takeIn(taken(text, text))
    const { output, unfinished } = (await sum(other))!
    seen.push(unfinished === 0 ? `${output}!` : `${output}`)
  }
  expect(seen).toEqual(['3', '3', '9', '9', '9!', '9!', '9!', '9!'])
  expect(await sum(other)).toMatchObject({ requests: 1, unfinished: 0 })
})

test('what a gateway wrote itself is changed by no other', async () => {
  const [own, other] = [file(), file()]
  await own.write([progress('r1', 3)])
  await other.write([settledRow('r1', 100)])
  await own.takeIn(taken(await textOf(other)))
  expect(await sum(own)).toMatchObject({ output: 3, unfinished: 1 })
})

test('a start ends the own rows that are open, tells the others, and leaves theirs', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const [before, other] = [file(folder.usagePath), file()]
  await before.write([progress('own', 1)])
  await textOf(before)
  await other.write([progress('theirs', 1)])
  await before.takeIn(taken(await textOf(other)))
  before.close()
  const after = file(folder.usagePath, true, true)
  after.start(() => {})
  const out = await after.handOut(100)
  expect(idsOf(out)).toEqual(['own'])
  expect(out?.text).toContain('aborted_unknown')
  await other.write([settledRow('theirs', 2)])
  await after.takeIn(taken(await textOf(other)))
  expect(await after.usage(usageQuery({ by: ['model'] }))).toMatchObject([{ requests: 2, unfinished: 1, output: 3 }])
})

test('what is removed for its age is what ended, and what others never ended', async () => {
  const [own, other] = [file(), file()]
  await other.write([progress('theirs', 1)])
  await own.write([progress('own', 1), settledRow('ended', 1)])
  await own.takeIn(taken(await textOf(other)))
  expect(await own.prune(Number.MAX_SAFE_INTEGER)).toBe(2)
  expect(await sum(own)).toMatchObject({ requests: 1 })
})

test.each([
  ['no JSON', '{'],
  ['no list', '5'],
  ['no rows', '["a"]'],
  ['a row that is too short', '[["r9"]]'],
  ['a row without its id', JSON.stringify([[null, ...Array.from({ length: 24 }, () => 1)]])],
])('%s is left out and counted, and holds up nothing', async (_, text) => {
  const [own, other] = [file(), file()]
  await other.write([settledRow('r1', 1)])
  const good = await textOf(other)
  expect(await own.takeIn(taken(text, good))).toEqual({ rows: 1, unknownRows: 1 })
  expect(await sum(own)).toMatchObject({ requests: 1, output: 1 })
})

test('a later version may know more of a row', async () => {
  const [own, other] = [file(), file()]
  await other.write([settledRow('r1', 1)])
  const rows = JSON.parse(await textOf(other)) as unknown[][]
  await own.takeIn(taken(JSON.stringify(rows.map((row) => [...row, 'more', { of: 'it' }]))))
  expect(await sum(own)).toMatchObject({ requests: 1, output: 1 })
})

test('rows and place are kept together or not at all', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const [own, other] = [file(folder.usagePath), file()]
  await own.write([settledRow('own', 1)])
  await other.write([settledRow('r1', 1)])
  const text = await textOf(other)
  const database = new DatabaseSync(folder.usagePath)
  database.exec("CREATE TRIGGER full BEFORE INSERT ON taken_in BEGIN SELECT RAISE(ABORT, 'as told'); END")
  await expect(own.takeIn(taken(text))).rejects.toThrow('as told')
  expect([await own.position(), (await sum(own))?.requests]).toEqual([null, 1])
  database.exec('DROP TRIGGER full')
  database.close()
  await own.takeIn(taken(text))
  expect([await own.position(), (await sum(own))?.requests]).toEqual([position, 2])
  await own.takeIn({ batches: [], position: { stream: 'another', place: '0-1' } })
  expect(await own.position()).toEqual({ stream: 'another', place: '0-1' })
})

test('a ledger of the form before is brought forward with its rows', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const before = file(folder.usagePath, false)
  await before.write([settledRow('r1', 1), { admitted: admittedRequest('r2'), figures: null, settled: null }])
  before.close()
  const database = new DatabaseSync(folder.usagePath)
  database.exec(`DROP INDEX requests_unhanded; DROP TABLE taken_in; ALTER TABLE requests DROP COLUMN unhanded;
    ALTER TABLE requests DROP COLUMN origin; PRAGMA user_version = 1`)
  database.close()
  const after = file(folder.usagePath, true, true)
  after.start(() => {})
  expect(await sum(after)).toMatchObject({ requests: 2, unfinished: 1 })
  await after.write([{ admitted: admittedRequest('r3'), figures: null, settled: settledRequest(4) }])
  expect(idsOf(await after.handOut(10))).toEqual(['r2', 'r3'])
})
