/** What no file of ours may say: notes to self, paths of somebody's machine, hosts of somebody's network. */

import { expect, test } from 'vitest'
import { everyFile, exists, findInText, readSource, type SourceFile } from './repository.ts'

interface Taboo {
  readonly pattern: RegExp
  readonly instead: string
}

const taboos: readonly Taboo[] = [
  // In brackets, so that this file keeps its own rule.
  { pattern: /\b(?:TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/g, instead: 'do it, or open an issue' },
  {
    pattern: /(?<![\w.~/-])\/(?:work|root|home|Users|tmp)\/[\w.-]+/g,
    instead: 'a path that only one machine has; use os.tmpdir() or a path from the root of the repository',
  },
  {
    pattern: /\bhttps?:\/\/[\w.-]*(?:registry|artifact|nexus|verdaccio|mirror)[\w.-]*/g,
    instead: 'package registries are the business of the machine, not of the repository',
  },
]

function wordViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    taboos.flatMap(({ pattern, instead }) =>
      findInText(file, pattern).map(({ line, match }) => `${file.path}:${line} says ${match}: ${instead}`),
    ),
  )
}

/** A lock file names where a package came from only if that is the public registry. */
function lockViolations(lock: SourceFile): string[] {
  return findInText(lock, /"resolved":\s*"(?!https:\/\/registry\.npmjs\.org\/)[^"]*"/g).map(
    ({ line, match }) => `${lock.path}:${line} has ${match}: install with --omit-lockfile-registry-resolved`,
  )
}

const locks = ['package-lock.json', 'test/real-model/package-lock.json'].filter(exists)

test('no file says it', () => {
  const files = everyFile()
  expect(files.length).toBeGreaterThan(40)
  expect(wordViolations(files)).toEqual([])
  expect(locks.map(readSource).flatMap(lockViolations)).toEqual([])
})

test.each([
  ['a mark', '// ', ['TO', 'DO']],
  ['a second mark', '# see ', ['FIX', 'ME']],
  ['a home folder', 'const dir = "', ['/home', '/somebody']],
  ['a temporary folder', 'run it in ', ['/tmp', '/build']],
  ['a private registry', 'npm ci --registry ', ['http://regis', 'try.local']],
])('%s is found', (_what, before, parts) => {
  const text = `${before}${parts.join('')}`
  expect(wordViolations([{ path: 'README.md', text }])[0]).toContain(`README.md:1 says ${parts.join('')}: `)
})

test.each([
  ['~/.local/state/tmp/x'],
  ['https://docs.example.org/home/start'],
  ['a todo list'],
  ['../root/a'],
  ['./tmp/a'],
])('%s passes', (text) => {
  expect(wordViolations([{ path: 'README.md', text }])).toEqual([])
})

test('a lock file that names another registry is found', () => {
  const lock = (url: string) => ({ path: 'package-lock.json', text: `"resolved": "${url}"` })
  expect(lockViolations(lock('http://10.0.0.1/a.tgz'))).toHaveLength(1)
  expect(lockViolations(lock(['https://regis', 'try.npmjs.org/a.tgz'].join('')))).toEqual([])
})
