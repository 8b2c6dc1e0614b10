/** The files of the repository as the tidy tests see them. */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { blankComments, blankStrings } from './code-only.ts'

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string
  readonly text: string
}

export interface Import {
  readonly line: number
  /** As written, or, for a relative one, the path from the root of the repository. */
  readonly target: string
  readonly isRelative: boolean
}

export const root: string = fileURLToPath(new URL('../..', import.meta.url))

/** What is installed, built or recorded is not ours to tidy. */
const notOurs = /(^|\/)(node_modules|dist|coverage|\.git)(\/|$)|^test\/fixtures\/|(^|\/)package-lock\.json$/

const textExtensions = new Set(['.ts', '.js', '.json', '.md', '.yaml', '.yml', '.sh', '.py', '.html', '.css', ''])

/** Every text file of ours, hidden ones included. */
export function everyFile(): SourceFile[] {
  const patterns = ['*', '.*', 'src/**/*', 'test/**/*', 'grafana/**/*', '.ci/*', '.config/*']
  const names = globSync(patterns, { cwd: root, withFileTypes: true, exclude: (entry) => skips(entry) })
  const paths = names
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length).replace(/^\/+/, '').replaceAll('\\', '/'))
  return [...new Set(paths)]
    .filter((path) => !notOurs.test(path) && textExtensions.has(extname(path)))
    .toSorted()
    .map(readSource)
}

/** TypeScript and JavaScript of `src/`. */
export function sourceFiles(): SourceFile[] {
  return everyFile().filter(({ path }) => path.startsWith('src/') && isCode(path))
}

/** TypeScript of `test/`. */
export function testFiles(): SourceFile[] {
  return everyFile().filter(({ path }) => path.startsWith('test/') && isCode(path))
}

export function readSource(path: string): SourceFile {
  return { path, text: readFileSync(`${root}/${path}`, 'utf8') }
}

export function exists(path: string): boolean {
  return existsSync(`${root}/${path}`)
}

/** Static, side-effect, re-exporting, dynamic and type imports. */
export function importsOf(file: SourceFile): Import[] {
  const code = blankComments(file.text)
  const pattern = /(?:(?<!\.)\bfrom\s*|(?<!\.)\bimport\s*\(?\s*|\brequire\(\s*)(['"])([^'"\n]+)\1/g
  return [...code.matchAll(pattern)].map((match) => {
    const written = match[2] ?? ''
    const isRelative = written.startsWith('.')
    return { line: lineAt(code, match.index), target: isRelative ? resolve(file.path, written) : written, isRelative }
  })
}

export interface Finding {
  readonly line: number
  readonly match: string
}

/** Where `pattern` (with the flag g) is in the code itself: not in comments, not in strings. */
export function findInCode(file: SourceFile, pattern: RegExp): Finding[] {
  return findIn(codeOf(file), pattern)
}

/** Many rules read the same files. */
const codeSeen = new WeakMap<SourceFile, string>()

function codeOf(file: SourceFile): string {
  const code = codeSeen.get(file) ?? blankStrings(blankComments(file.text))
  codeSeen.set(file, code)
  return code
}

export function findInText(file: SourceFile, pattern: RegExp): Finding[] {
  return findIn(file.text, pattern)
}

function findIn(text: string, pattern: RegExp): Finding[] {
  return [...text.matchAll(pattern)].map((match) => ({ line: lineAt(text, match.index), match: match[0] }))
}

function lineAt(text: string, index: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

function resolve(from: string, relative: string): string {
  return new URL(relative, `file:///${from}`).pathname.slice(1)
}

function isCode(path: string): boolean {
  return path.endsWith('.ts') || path.endsWith('.js')
}

function skips(entry: { name: string; parentPath: string }): boolean {
  return ['node_modules', 'dist', '.git', 'coverage'].includes(entry.name)
}
