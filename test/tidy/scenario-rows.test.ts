/** Every fault and abuse scenario that is due has a test that bears its number, and no test bears the number of none. */

import { expect, test } from 'vitest'
import { familySizes, type Row, rows, worksDue } from '../integration/scenarios/rows.ts'
import { blankComments } from './code-only.ts'
import { type SourceFile, testFiles } from './repository.ts'

type Rows = Readonly<Record<string, Row>>

const number = '[UCGSX]\\d{2}'
/** "U06: …", "C13, C14: …", or a group whose title ends in "(G10)". */
const atStart = new RegExp(`^(${number}(?:, ${number})*): `)
const atEnd = new RegExp(`\\((${number}(?:, ${number})*)\\)$`)
/** The title of a test or group that runs; the second bracket of `test.each(…)('title'` counts, `test.skip('title'` does not. */
const titles = /(?:\b(?:test|it|describe)|\))\s*\(\s*(['"`])((?:\\.|(?!\1)[^\\])*)\1/g

function numbersIn(file: SourceFile): Set<string> {
  const numbers = new Set<string>()
  for (const [, , title = ''] of blankComments(file.text).matchAll(titles)) {
    const named = atStart.exec(title)?.[1] ?? atEnd.exec(title)?.[1] ?? ''
    for (const one of named.split(', ')) if (one !== '') numbers.add(one)
  }
  return numbers
}

function rowViolations(table: Rows, due: ReadonlySet<string>, tests: readonly SourceFile[]): string[] {
  const numbersByFile = new Map(tests.map((file) => [file.path, numbersIn(file)]))
  const unknown = [...numbersByFile].flatMap(([path, numbers]) =>
    [...numbers].filter((id) => !Object.hasOwn(table, id)).map((id) => `${path} has a test for ${id}, which is no row`),
  )
  const untested = Object.entries(table).flatMap(([id, { work, file, lacks }]) => {
    if (file === undefined) return due.has(work) && lacks === undefined ? [`${id} is due and names no test`] : []
    if (numbersByFile.get(file)?.has(id) === true) return []
    return [`${id} names ${file}, in which no title begins with "${id}: " or ends in "(${id})"`]
  })
  return [...unknown, ...untested]
}

const idsOf = (sizes: Readonly<Record<string, number>>): string[] =>
  Object.entries(sizes).flatMap(([family, size]) =>
    Array.from({ length: size }, (_, index) => `${family}${String(index + 1).padStart(2, '0')}`),
  )

const runnable = () => testFiles().filter(({ path }) => path.endsWith('.test.ts') && !path.startsWith('test/tidy/'))

test('the table has every row, once', () => {
  expect(Object.keys(rows).toSorted()).toEqual(idsOf(familySizes).toSorted())
  expect(Object.keys(rows)).toHaveLength(187)
})

test('every row that is due has its test, and every test its row', () => {
  expect(rowViolations(rows, worksDue, runnable())).toEqual([])
})

test('every work that is due is one of the table', () => {
  const works = new Set(Object.values(rows).map(({ work }) => work))
  expect([...worksDue].filter((work) => !works.has(work))).toEqual([])
})

const path = 'test/integration/a.test.ts'
const oneRow: Rows = { U06: { work: 'now', scenario: 'x', file: path } }

test.each([
  "test('U06: a thing', f)",
  'test(`U06: ${count} things`, f)',
  'test("U06: a host\'s thing", f)',
  "test('C13, U06: two', f)",
  "describe('a thing (U06)', f)",
  "test.each([\n  ['a', f(1)],\n])('U06: a %s', f)",
  "test.each(names.filter((name) => name))(\n  'U06: a %s',\n  f,\n)",
])('the number is found in %s', (text) => {
  const table: Rows = { ...oneRow, C13: { work: 'later', scenario: 'x' } }
  expect(rowViolations(table, new Set(['now']), [{ path, text }])).toEqual([])
})

test.each([
  ["// test('U06: a thing', f)"],
  ["test.skip('U06: a thing', f)"],
  ["test.todo('U06: a thing')"],
  ["test('a thing like U06', f)"],
  ["test('U060: a thing', f)"],
  ["expect(a).toBe('U06: a thing')"],
])('no test for the row is seen in %s', (text) => {
  expect(rowViolations(oneRow, new Set(['now']), [{ path, text }])).toEqual([
    expect.stringContaining(`U06 names ${path}`),
  ])
})

test('a due row without a test, a test without a row, and a file that is gone are found', () => {
  const table: Rows = {
    U01: { work: 'now', scenario: 'x' },
    U02: { work: 'now', scenario: 'x', lacks: 'a second machine' },
    U03: { work: 'later', scenario: 'x' },
    U04: { work: 'later', scenario: 'x', file: 'test/integration/gone.test.ts' },
  }
  expect(rowViolations(table, new Set(['now']), [{ path, text: "test('X99: a thing', f)" }])).toEqual([
    `${path} has a test for X99, which is no row`,
    'U01 is due and names no test',
    expect.stringContaining('U04 names test/integration/gone.test.ts'),
  ])
})
