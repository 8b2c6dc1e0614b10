/** Things that are one file and one line of a table: each file has its line, each line its file. */

import { basename, dirname } from 'node:path'
import { expect, test } from 'vitest'
import { exists, importsOf, readSource, type SourceFile, sourceFiles } from './repository.ts'

interface Pairing {
  /** The table, which imports every row. */
  readonly table: string
  /** Files beside the table that are no rows. */
  readonly notRows: readonly string[]
}

const pairings: readonly Pairing[] = [
  {
    table: 'src/hosts/kinds/kinds.ts',
    notRows: ['host-kind.ts', 'model-list.ts', 'prometheus-text.ts', 'probe-checks.ts'],
  },
]

function unpaired(pairing: Pairing, files: readonly SourceFile[]): string[] {
  const table = files.find(({ path }) => path === pairing.table)
  if (table === undefined) return [`${pairing.table} is missing`]
  const folder = dirname(pairing.table)
  const rows = files
    .filter(({ path }) => dirname(path) === folder && path !== pairing.table)
    .filter(({ path }) => !pairing.notRows.includes(basename(path)))
  const imported = new Set(importsOf(table).map(({ target }) => target))
  const unlisted = rows.filter(({ path }) => !imported.has(path))
  const gone = pairing.notRows.filter((name) => !files.some(({ path }) => path === `${folder}/${name}`))
  return [
    ...unlisted.map(
      ({ path }) => `${path} is not in the table ${pairing.table}: add its line, or name it in tables.test.ts`,
    ),
    ...gone.map((name) => `${folder}/${name} is named in tables.test.ts and does not exist`),
  ]
}

test.each(pairings)('$table lists every file beside it', (pairing) => {
  expect(unpaired(pairing, sourceFiles())).toEqual([])
})

test('scripts of package.json name files that exist', () => {
  const { scripts } = JSON.parse(readSource('package.json').text) as { scripts: Record<string, string> }
  const named = Object.values(scripts).flatMap((script) => script.match(/[\w./-]+\.(?:[jt]s|json)\b/g) ?? [])
  expect(named.length).toBeGreaterThan(3)
  expect(named.filter((path) => !exists(path))).toEqual([])
})

test('a file without a line and a name without a file are found', () => {
  const file = (path: string, text = '') => ({ path, text })
  const files = [
    file('src/kinds/kinds.ts', "import { a } from './a.ts'"),
    file('src/kinds/a.ts'),
    file('src/kinds/b.ts'),
    file('src/kinds/kind.ts'),
  ]
  expect(unpaired({ table: 'src/kinds/kinds.ts', notRows: ['kind.ts', 'gone.ts'] }, files)).toEqual([
    expect.stringContaining('src/kinds/b.ts is not in the table'),
    expect.stringContaining('src/kinds/gone.ts is named'),
  ])
})
