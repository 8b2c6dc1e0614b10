/** How files are named, headed and sized, and that no test is left outside of every run. */

import { basename, matchesGlob } from 'node:path'
import { expect, test } from 'vitest'
import realModelConfig from '../real-model/vitest.config.ts'
import config from '../vitest.config.ts'
import { everyFile, type SourceFile, sourceFiles, testFiles } from './repository.ts'

const sourceLinesMax = 400

/** What a reader cannot guess the content of. */
const emptyNames = /^(?:index|utils?|helpers?|common|misc|shared|types|constants)\.(?:ts|js)$/

function sizeViolations(files: readonly SourceFile[]): string[] {
  return files
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > sourceLinesMax)
    .map(
      ({ path, lines }) => `${path} has ${lines} lines, ${sourceLinesMax} at most: give a part of it a file and a name`,
    )
}

function nameViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => {
    if (emptyNames.test(basename(path))) return [`${path}: a name that says nothing; name the thing that is in it`]
    if (!/^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(basename(path))) return [`${path}: file names are kebab-case`]
    return []
  })
}

function headViolations(files: readonly SourceFile[]): string[] {
  return files
    .filter(({ text }) => !/^(?:\/\*\*|#!.*\n\/\/)/.test(text))
    .map(({ path }) => `${path} does not open with one sentence (/** … */, or // after a #! line) on what it is for`)
}

/**
 * A unit test sits where its subject sits: test/unit/<room>/<subject>.test.ts, where the subject is a file or a folder
 * of the room, with further words after a dot or a dash where there are several tests of it.
 */
function strayUnitTests(tests: readonly string[], sources: readonly string[]): string[] {
  return tests
    .filter((path) => path.startsWith('test/unit/'))
    .flatMap((path) => {
      const [room = ''] = path.slice('test/unit/'.length).split('/')
      const folder = ['bench', 'bin', 'kit', 'sim'].includes(room) ? `test/${room}/` : `src/${room}/`
      const subjects = sources
        .filter((source) => source.startsWith(folder))
        .flatMap((source) => source.slice(folder.length).split('/'))
        .map((name) => name.replace(/\.[jt]s$/, ''))
      const named = basename(path, '.test.ts')
      if (
        subjects.some(
          (subject) => named === subject || named.startsWith(`${subject}.`) || named.startsWith(`${subject}-`),
        )
      )
        return []
      return [`${path}: nothing in ${folder} is called ${named}; name the test after its subject`]
    })
}

/** Each test file is run by exactly one project, and nothing else looks like a test file. */
function projectViolations(paths: readonly string[], projects: ReadonlyMap<string, readonly string[]>): string[] {
  return paths.flatMap((path) => {
    if (/(?:\.spec\.[jt]s|\.test\.[cm]?js|\.test\.mts)$|__tests__/.test(path))
      return [`${path} would never run: tests are named *.test.ts`]
    if (!path.endsWith('.test.ts')) return []
    const running = [...projects].filter(([, globs]) => globs.some((glob) => matchesGlob(path, glob)))
    if (running.length === 1) return []
    return [`${path} is run by ${running.length} projects: ${running.map(([name]) => name).join(', ') || 'none'}`]
  })
}

function projectsOf(): Map<string, readonly string[]> {
  const projects = new Map<string, readonly string[]>()
  for (const project of [...(config.test?.projects ?? []), realModelConfig]) {
    if (typeof project !== 'object' || !('test' in project) || typeof project.test?.name !== 'string') continue
    projects.set(project.test.name, project.test.include ?? [])
  }
  return projects
}

const paths = (files: readonly SourceFile[]) => files.map(({ path }) => path)

test('files of the source are small, and open with what they are for', () => {
  expect(sizeViolations(sourceFiles())).toEqual([])
  expect(headViolations(sourceFiles())).toEqual([])
})

test('names say what is in the file', () => {
  expect(nameViolations([...sourceFiles(), ...testFiles()])).toEqual([])
})

test('every test file is run by exactly one project', () => {
  expect([...projectsOf().keys()].toSorted()).toContain('integration')
  expect(projectViolations(paths(everyFile()), projectsOf())).toEqual([])
})

test('every unit test is named after its subject', () => {
  expect(
    strayUnitTests(
      paths(testFiles()).filter((path) => path.endsWith('.test.ts')),
      paths(everyFile()),
    ),
  ).toEqual([])
})

test('a planted violation of each rule is found', () => {
  const file = (path: string, text = '') => ({ path, text })
  expect(sizeViolations([file('src/a.ts', '\n'.repeat(401)), file('src/b.ts', '\n'.repeat(400))])).toHaveLength(1)
  expect(headViolations([file('src/a.ts', "import a from 'a'"), file('src/b.ts', '/** B. */')])).toHaveLength(1)
  expect(
    nameViolations(['index.ts', 'utils.ts', 'lineOrder.ts', 'Line.ts', 'line-order.ts'].map((name) => file(name))),
  ).toHaveLength(4)
  expect(
    strayUnitTests(
      ['line', 'line.order', 'line-order', 'parts-a', 'lines', 'a'].map((name) => `test/unit/queue/${name}.test.ts`),
      ['src/queue/line.ts', 'src/queue/parts/b.ts', 'src/wire/a.ts'],
    ),
  ).toEqual([expect.stringContaining('called lines;'), expect.stringContaining('called a;')])
})

test('a test file that no project runs, or two, is found', () => {
  const projects = new Map([
    ['unit', ['test/unit/**/*.test.ts']],
    ['queue', ['test/unit/queue/**/*.test.ts']],
  ])
  const planted = ['test/unit/a.test.ts', 'test/unit/queue/a.test.ts', 'test/load/a.test.ts', 'src/a.spec.ts']
  expect(projectViolations(planted, projects)).toEqual([
    'test/unit/queue/a.test.ts is run by 2 projects: unit, queue',
    'test/load/a.test.ts is run by 0 projects: none',
    'src/a.spec.ts would never run: tests are named *.test.ts',
  ])
})
