/** The program as it was at a commit, and as it is in the working tree, each in a folder of its own. */
import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { repositoryRoot } from '../kit/child-process.ts'

export interface Checkout {
  readonly folder: string
  /** For people: a short commit, with a word where there is more than it. */
  readonly commit: string
}

/** What the program is made of; packages are those of the working tree. */
const parts = ['src', 'package.json']
/** What it is built with; an old commit may have had it elsewhere. */
const buildParts = ['tsconfig.json', '.config']

export async function checkOutCommit(ref: string, folder: string): Promise<Checkout> {
  const commit = commitOf(ref)
  await mkdir(folder, { recursive: true })
  const tar = execFileSync('git', ['archive', '--format=tar', commit, ...parts], inRepository)
  execFileSync('tar', ['-x', '-C', folder], { input: tar })
  await linkPackages(folder)
  return { folder, commit: commit.slice(0, 8) }
}

/** A copy, so that whoever edits a file meanwhile changes no measurement, and both arms run from alike folders. */
export async function copyWorkingTree(folder: string): Promise<Checkout> {
  await mkdir(folder, { recursive: true })
  for (const part of parts) await cp(join(repositoryRoot, part), join(folder, part), { recursive: true })
  await linkPackages(folder)
  return { folder, commit: workingTreeCommit() }
}

/** Compiles it as it is shipped, and returns what starts it. Throws with the words of the compiler where that is not there. */
export async function build({ folder, commit }: Checkout): Promise<string> {
  for (const part of buildParts) await cp(join(repositoryRoot, part), join(folder, part), { recursive: true })
  const manifest = await readFile(join(folder, 'package.json'), 'utf8')
  // Commits from before there was a bundle were shipped file by file.
  const [tool, ...args] = manifest.includes('rolldown')
    ? ['rolldown', '--config', '.config/rolldown.config.js']
    : ['tsc', '-p', '.config/tsconfig.build.json']
  const program = join(repositoryRoot, 'node_modules', '.bin', tool)
  const { stdout } = spawnSync(process.execPath, [program, ...args], { cwd: folder, encoding: 'utf8' })
  const launcher = join(folder, 'dist', 'launch.js')
  if (!existsSync(join(folder, 'dist', 'main.js'))) throw new Error(`${commit} cannot be built: ${stdout}`)
  await cp(join(folder, 'src', 'launch.js'), launcher)
  return launcher
}

export function workingTreeCommit(): string {
  const changed = execFileSync('git', ['status', '--porcelain', '--', ...parts], inRepository).length > 0
  return commitOf('HEAD').slice(0, 8) + (changed ? ' with changes' : '')
}

/** Whether the commit was made for other packages than those that are installed. */
export async function wantsOtherPackages(ref: string): Promise<boolean> {
  const lock = 'package-lock.json'
  const then = execFileSync('git', ['show', `${commitOf(ref)}:${lock}`], inRepository).toString()
  return then !== (await readFile(join(repositoryRoot, lock), 'utf8'))
}

const inRepository: { cwd: string; maxBuffer: number; stdio: StdioOptions } = {
  cwd: repositoryRoot,
  maxBuffer: 256 * 1024 * 1024,
  stdio: ['ignore', 'pipe', 'pipe'],
}

function commitOf(ref: string): string {
  try {
    const asked = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`]
    return execFileSync('git', asked, inRepository).toString().trim()
  } catch {
    throw new Error(`"${ref}" is no commit of this repository; a clone without history has only its last one`)
  }
}

function linkPackages(folder: string): Promise<void> {
  return symlink(join(repositoryRoot, 'node_modules'), join(folder, 'node_modules'))
}
