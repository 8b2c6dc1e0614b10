/** No statement of SQL is put together from strings: texts are constants, and every value is bound. */

import { expect, test } from 'vitest'
import { blankComments } from './code-only.ts'
import { type SourceFile, sourceFiles } from './repository.ts'

/** In capitals, as all statements here are and no sentence is. */
const keyword = /\b(?:SELECT|INSERT|UPDATE|DELETE|REPLACE INTO|CREATE|DROP|ALTER|ATTACH|PRAGMA|BEGIN|WHERE|VALUES)\b/

/** Functions that hand on a text which they were given; what they are called with is looked at where they are called. */
const handedOn = new Set(['sql', 'step'])

const call =
  /\b(?:\w*[dD]atabase|connection|this)(?:\.#connection)?\.(?:prepare|exec|all|get|each|change|insert|#prepared|#read)(?:<[^()]*?>)?\(\s*(?=[^)\s])/g
const literal = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g

function sqlViolations(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => path.startsWith('src/stores/'))
    .flatMap((file) => {
      const code = blankComments(file.text)
      return [...joinedTexts(code), ...unknownTexts(code)].map(
        ({ at, what }) => `${file.path}:${code.slice(0, at).split('\n').length} ${what}: bind the value`,
      )
    })
}

interface Found {
  readonly at: number
  readonly what: string
}

function joinedTexts(code: string): Found[] {
  return [...code.matchAll(literal)]
    .filter(([text]) => keyword.test(text))
    .flatMap((match) => {
      const [text] = match
      const before = code.slice(0, match.index).trimEnd()
      const after = code.slice(match.index + text.length).trimStart()
      if (text.startsWith('`') && text.includes('${')) return [{ at: match.index, what: 'puts a value into SQL' }]
      if (before.endsWith('+') || after.startsWith('+') || after.startsWith('.concat'))
        return [{ at: match.index, what: 'joins SQL to something' }]
      return []
    })
}

/** Calls whose text is neither written there nor a constant of the file. */
function unknownTexts(code: string): Found[] {
  const constants = new Set([...code.matchAll(/^const (\w+) = ['"`]/gm)].map((match) => match[1]))
  return [...code.matchAll(call)].flatMap((match) => {
    const argument = code.slice(match.index + match[0].length)
    if (/^['"`]/.test(argument)) return []
    const [name = ''] = /^\w+/.exec(argument) ?? []
    if (constants.has(name) || handedOn.has(name)) return []
    return [{ at: match.index, what: `gives SQLite ${name === '' ? 'an expression' : name}, which is no constant` }]
  })
}

test('X02: no SQL is put together from strings', () => {
  const files = sourceFiles()
  const statements = files.filter(({ path, text }) => path.startsWith('src/stores/') && keyword.test(text))
  expect(statements.length).toBeGreaterThan(3)
  expect(sqlViolations(files)).toEqual([])
})

test.each([
  ['database.all(`SELECT a FROM b WHERE c = ${value}`)', 'puts a value into SQL'],
  ["database.exec('DELETE FROM b WHERE c = ' + value)", 'joins SQL to something'],
  ["const text = 'SELECT a FROM b WHERE '\nconst more = text + by", 'no constant'],
  ['database.get(text)', 'gives SQLite text, which is no constant'],
  ['database.all<Row>(textOf(query), values)', 'gives SQLite textOf, which is no constant'],
  ["database.change(['DELETE FROM b'].join())", 'gives SQLite an expression'],
])('a planted %j is found', (text, found) => {
  const asked = text.includes('more') ? `${text}\ndatabase.all(more)` : text
  expect(sqlViolations([{ path: 'src/stores/a.ts', text: asked }])).toEqual([expect.stringContaining(found)])
})

test.each([
  ["database.all('SELECT a FROM b WHERE c = :c', { c })"],
  ['const text = `SELECT a\n  FROM b`\ndatabase.get<Row>(text, values)'],
  ['throw new Error(`${path} is damaged`)'],
])('%j passes', (text) => {
  expect(sqlViolations([{ path: 'src/stores/a.ts', text }])).toEqual([])
})
