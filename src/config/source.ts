/** Where a configuration is read from, as far as that can be read, and where in it a fault stands. */
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { cannotRead, fileErrorCode } from '../base/file-problem.ts'
import type { Environment } from './interpolation.ts'
import { askedFile, type Overlaid } from './overlay.ts'
import { type Finding, formatPath, type Problem } from './problem.ts'
import type { FlagValues } from './settings.ts'
import type { PlacedProblem, YamlFile } from './yaml-file.ts'

export const defaultFile = 'lmx-gateway.yaml'
const fileBytesMax = 1_048_576

export interface LoadOptions {
  readonly flags: FlagValues
  /** Default: the process's own. */
  readonly environment?: Environment
  /** Where the default file is looked for; default: the working directory. */
  readonly folder?: string
}

/** The file as far as there is one and it can be read. */
export interface Source {
  readonly label: string | null
  readonly yaml: YamlFile | null
  readonly problems: readonly Problem[]
}

export async function readSource(options: LoadOptions): Promise<Source & { readonly environment: Environment }> {
  // oxlint-disable-next-line no-restricted-properties -- the one place that reads the environment
  const environment = options.environment ?? process.env
  const asked = askedFile(environment, options.flags)
  const folder = options.folder === undefined ? '' : `${options.folder}/`
  const path = asked?.path ?? `${folder}${defaultFile}`
  const unread = (message: string) => {
    return { label: path, yaml: null, problems: [whole(asked?.origin ?? path, message)], environment }
  }
  let content: FileContent
  try {
    content = await contentOf(path)
  } catch (error) {
    if (asked === null && fileErrorCode(error) === 'ENOENT')
      return { label: null, yaml: null, problems: [], environment }
    return unread(cannotRead(path, error))
  }
  if (content.kind === 'no_file') return unread(`${path} is no regular file; name one`)
  if (content.kind === 'too_long')
    return unread(`${path} has ${content.bytes} bytes; a configuration has at most ${fileBytesMax}`)
  // Only a start with a file pays for loading the parser.
  const { readYaml } = await import('./yaml-file.ts')
  const yaml = readYaml(content.text, environment)
  return { label: path, yaml, problems: yaml.problems.map((problem) => inFile(path, problem)), environment }
}

type FileContent =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'too_long'; readonly bytes: number }
  | { readonly kind: 'no_file' }

/** A pipe would keep whoever opens or reads it waiting for good, and a device has no end. */
async function contentOf(path: string): Promise<FileContent> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const state = await file.stat()
    // Reading a folder says that it is one.
    if (!state.isFile() && !state.isDirectory()) return { kind: 'no_file' }
    if (state.isFile() && state.size > fileBytesMax) return { kind: 'too_long', bytes: state.size }
    const content = await file.readFile()
    // It may have grown meanwhile, or be one of those that do not tell how long they are.
    if (content.length > fileBytesMax) return { kind: 'too_long', bytes: content.length }
    return { kind: 'text', text: content.toString('utf8') }
  } finally {
    await file.close()
  }
}

export function placed(finding: Finding, overlaid: Overlaid, source: Source): Problem[] {
  const origin = overlaid.origin(finding.path)
  if (origin !== null) return [whole(origin, finding.message)]
  if (source.yaml === null || source.label === null)
    return [{ ...whole(null, finding.message), path: formatPath(finding.path) }]
  // Of a file that is no YAML nothing more can be said.
  if (!source.yaml.readable) return []
  return [inFile(source.label, { ...source.yaml.place(finding), path: finding.path, message: finding.message })]
}

function inFile(file: string, problem: PlacedProblem): Problem {
  const { line, column, message } = problem
  return { source: file, line, column, path: formatPath(problem.path), message }
}

function whole(source: string | null, message: string): Problem {
  return { source, line: null, column: null, path: '', message }
}

/** Flags and variables first, then the file from top to bottom. */
export function inOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0))
}
