/** Calls that this code base does without, each with what to do instead. */

import { expect, test } from 'vitest'
import { findInCode, importsOf, type SourceFile, sourceFiles, testFiles } from './repository.ts'

interface Ban {
  readonly pattern: RegExp
  readonly instead: string
  /** Files in which it is allowed. */
  readonly except?: RegExp
}

const timeBelongsToTheClock = 'take a Clock (base/clock.ts), so that tests own time'
const clock = /^src\/base\/clock\.ts$/
/** The clock's timers let a process end; a command that waits for somebody must not. */
const staying = /^src\/cli\/stay\.ts$/

const bansInSource: readonly Ban[] = [
  {
    pattern: /(?<![.\w])fetch\s*\(|\bglobalThis\.fetch\b/g,
    instead: 'requests to hosts go through hosts/transport.ts',
    // The command line asks the admin API of a gateway elsewhere, a few times and off every token's way.
    except: /^src\/cli\/admin-client\.ts$/,
  },
  {
    pattern: /\b(?:Readable|Writable|Transform)Stream(?:Default\w+)?\b/g,
    instead: 'a Web Stream costs more per token than the relay may; pipe bytes by hand',
  },
  {
    pattern: /\.tee\s*\(/g,
    instead: 'a teed body keeps its host busy after the client left; count inside the one stream',
  },
  { pattern: /\b(?:Date|performance)\.now\b/g, instead: timeBelongsToTheClock, except: clock },
  { pattern: /\bnew Date\s*\(\s*\)/g, instead: timeBelongsToTheClock, except: clock },
  { pattern: /\b(?:setTimeout|setInterval)\b/g, instead: timeBelongsToTheClock, except: clock },
  { pattern: /\bAbortSignal\.timeout\b/g, instead: timeBelongsToTheClock },
  {
    pattern: /\bprocess\.env\b/g,
    instead: 'only config/ reads the environment',
    except: /^src\/(config\/|launch\.js)/,
  },
  {
    pattern: /\bprocess\.exit\b/g,
    instead: 'only the command line ends the process',
    except: /^src\/(cli\/|main\.ts|launch\.js)/,
  },
]

const bansInTests: readonly Ban[] = [
  { pattern: /\bvi\.(?:mock|doMock|hoisted)\b/g, instead: 'pass a fake in' },
  { pattern: /\bvi\.(?:useFakeTimers|setSystemTime)\b/g, instead: 'pass a FakeClock (test/kit/fake-clock.ts)' },
  { pattern: /\b(?:test|it|describe)\.only\b/g, instead: 'run one test by its name: npm test -- -t "name"' },
]

const bansInUnitTests: readonly Ban[] = [
  { pattern: /\b(?:setTimeout|setInterval)\b/g, instead: 'a unit test moves a FakeClock and never waits' },
]

function callViolations(files: readonly SourceFile[], bans: readonly Ban[]): string[] {
  return files.flatMap((file) =>
    bans
      .filter(({ except }) => except?.test(file.path) !== true)
      .flatMap(({ pattern, instead }) =>
        findInCode(file, pattern).map(({ line, match }) => `${file.path}:${line} uses ${match}: ${instead}`),
      ),
  )
}

/** A timer under another name is a timer still. */
function timerImports(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ path }) => !clock.test(path) && !staying.test(path))
    .flatMap((file) => importsOf(file).flatMap(({ line, target }) => timersTaken(file, line, target)))
}

function timersTaken(file: SourceFile, line: number, target: string): string[] {
  if (!target.startsWith('node:timers')) return []
  // A turn of the event loop measures no time.
  const taken = findInCode(file, /import\s*\{[^}]*\}\s*from/g).find((found) => found.line === line)?.match ?? ''
  const names = taken.match(/\b(?:setTimeout|setInterval|scheduler)\b/g) ?? []
  return names.map((name) => `${file.path}:${line} imports ${name}: ${timeBelongsToTheClock}`)
}

/** A test that is skipped says why in a comment beside it; the condition of a `skipIf` says it itself. */
function unexplainedSkips(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const lines = file.text.split('\n')
    return findInCode(file, /\b(?:test|it|describe)\.(?:skip|todo|fails)\b/g)
      .filter(({ line }) => !`${lines[line - 2] ?? ''}\n${lines[line - 1] ?? ''}`.includes('//'))
      .map(({ line, match }) => `${file.path}:${line} ${match} without a comment that says why`)
  })
}

const unitTests = () => testFiles().filter(({ path }) => path.startsWith('test/unit/') && path.endsWith('.test.ts'))

test('the source does without them', () => {
  expect(callViolations(sourceFiles(), bansInSource)).toEqual([])
  expect(timerImports(sourceFiles())).toEqual([])
})

test('the tests do without them', () => {
  expect(callViolations(testFiles(), bansInTests)).toEqual([])
  expect(callViolations(unitTests(), bansInUnitTests)).toEqual([])
  expect(unexplainedSkips(testFiles())).toEqual([])
})

test.each([
  ['await fetch(url)', 'fetch('],
  ['globalThis.fetch', 'globalThis.fetch'],
  ['new ReadableStream({})', 'ReadableStream'],
  ['new TransformStream()', 'TransformStream'],
  ['const [a, b] = body.tee()', '.tee('],
  ['const at = Date.now()', 'Date.now'],
  ['const at = performance.now()', 'performance.now'],
  ['const at = new Date()', 'new Date()'],
  ['setTimeout(f, 5)', 'setTimeout'],
  ['globalThis.setInterval(f, 5)', 'setInterval'],
  ['AbortSignal.timeout(5)', 'AbortSignal.timeout'],
  ["process.env['A']", 'process.env'],
  ['process.exit(1)', 'process.exit'],
])('in the source, %s is found', (text, match) => {
  expect(callViolations([{ path: 'src/relay/a.ts', text }], bansInSource)).toEqual([
    expect.stringContaining(`src/relay/a.ts:1 uses ${match}: `),
  ])
})

test.each([
  [
    "import { setTimeout as pause } from 'node:timers/promises'",
    [`src/relay/a.ts:1 imports setTimeout: ${timeBelongsToTheClock}`],
  ],
  ["import { setImmediate as turn } from 'node:timers/promises'", []],
])('in the source, %s', (text, found) => {
  expect(timerImports([{ path: 'src/relay/a.ts', text }])).toEqual(found)
})

test.each([
  ["vi.mock('./a.ts')", 'vi.mock'],
  ['vi.useFakeTimers()', 'vi.useFakeTimers'],
  ["test.only('a', f)", 'test.only'],
])('in a test, %s is found', (text, match) => {
  expect(callViolations([{ path: 'test/unit/a.test.ts', text }], bansInTests)).toEqual([
    expect.stringContaining(`uses ${match}: `),
  ])
})

test('an unexplained skip is found, an explained or conditional one is not', () => {
  const path = 'test/unit/a.test.ts'
  expect(unexplainedSkips([{ path, text: "\ntest.skip('a', f)" }])).toEqual([expect.stringContaining('a.test.ts:2')])
  expect(unexplainedSkips([{ path, text: "\ntest.skipIf(noPrometheus)('a', f)" }])).toEqual([])
  expect(unexplainedSkips([{ path, text: "// hangs in Node 30\ntest.skip('a', f)" }])).toEqual([])
})

test('prose and strings are not calls, and the clock may do what it is for', () => {
  expect(
    callViolations([{ path: 'src/a.ts', text: "// fetch(x)\nf('fetch(x)')\napp.fetch(x)" }], bansInSource),
  ).toEqual([])
  expect(callViolations([{ path: 'src/base/clock.ts', text: 'Date.now()' }], bansInSource)).toEqual([])
})
