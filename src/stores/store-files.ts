/** Where the files are and who may touch them. */
import { accessSync, constants, lstatSync, mkdirSync, readlinkSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { StoreError } from '../base/store-error.ts'
import { codeOf } from './error-codes.ts'

export interface StoreFiles {
  readonly keys: string
  readonly usage: string
  /** Held by the gateway that uses the others. */
  readonly lock: string
}

const linksMax = 40

/** By one name, however it was spelled: two gateways must find the same lock. */
export function storeFiles(path: string): StoreFiles {
  const keys = placed(path)
  const ending = extname(keys)
  const stem = keys.slice(0, keys.length - ending.length)
  return { keys, usage: `${stem}-usage${ending}`, lock: `${keys}.lock` }
}

function placed(path: string): string {
  let keys = resolve(path)
  try {
    // By hand, since the file a link leads to need not be there yet.
    for (let links = 0; isLink(keys); links += 1) {
      if (links === linksMax) throw new StoreError(`${path} is a link that leads round in a circle.`)
      keys = resolve(dirname(keys), readlinkSync(keys))
    }
    const folder = dirname(keys)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return join(realpathSync(folder), basename(keys))
  } catch (cause) {
    if (cause instanceof StoreError) throw cause
    throw new StoreError(
      `The folder ${dirname(keys)} cannot be made (${codeOf(cause)}): make it, or set storage.path to a place that this process may write.`,
      { cause },
    )
  }
}

/** Whether the files that are there, and their folder, can be written by this process. */
export function isWritable(files: StoreFiles): boolean {
  return [dirname(files.keys), files.keys, files.usage].every(
    (path) => statOf(path) === undefined || may(path, constants.W_OK),
  )
}

/** Which file it is, whatever is called so later; null where there is none. */
export function identityOf(path: string): string | null {
  const stats = statOf(path)
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`
}

/** Notes on what others may read; throws for what is another's or what others may write, since they could make themselves a key. */
export function checkModes(files: StoreFiles): readonly string[] {
  // Windows has no such modes.
  if (process.platform === 'win32') return []
  const folder = dirname(files.keys)
  const endings = ['', '-wal', '-shm', '-journal']
  const all = [files.keys, files.usage].flatMap((file) => endings.map((ending) => file + ending))
  const found = [folder, ...all, files.lock].flatMap((path) => {
    const stats = statOf(path)
    return stats === undefined ? [] : [{ path, mode: stats.mode, uid: stats.uid, isFolder: path === folder }]
  })
  const notes = [...ownerNotes(found)]
  checkFolder(folder, statSync(folder).mode)
  const inside = found.filter(({ isFolder }) => !isFolder)
  const writable = inside.filter(({ mode }) => (mode & 0o022) !== 0).map(({ path }) => path)
  if (writable.length > 0)
    throw new StoreError(`Others may write to ${writable.join(', ')}: run "chmod 600 ${writable.join(' ')}".`)
  const readable = inside.filter(({ mode }) => (mode & 0o044) !== 0).map(({ path }) => path)
  if (readable.length === 0) return notes
  return [...notes, `Others on this machine may read ${readable.join(', ')}: run "chmod 600 ${readable.join(' ')}".`]
}

/** Whoever owns a file or its folder can write there, whatever the modes say now. */
function ownerNotes(found: readonly { readonly path: string; readonly uid: number }[]): readonly string[] {
  const own = process.getuid?.() ?? 0
  const foreign = found.find(({ uid }) => uid !== own && uid !== 0)
  if (foreign === undefined) return []
  const others = found.filter(({ uid }) => uid === foreign.uid).map(({ path }) => path)
  const problem = `${others.join(', ')}: of another user (${foreign.uid}), who can make keys there`
  // A container's root before a folder of its machine's user, or that machine's own root: neither was tricked.
  if (own === 0) return [`${problem}; SQLite leaves its files to that user.`]
  throw new StoreError(`${problem}: run this as that user, or run "chown ${own} ${others.join(' ')}".`)
}

/** Where others may lay files, they could put a journal there that changes the keys, sticky bit or not. */
function checkFolder(folder: string, mode: number): void {
  if ((mode & 0o022) === 0) return
  // Such as the one for temporary files: shared on purpose.
  if ((mode & 0o1000) !== 0)
    throw new StoreError(
      `${folder} is a folder in which others may lay files, too: set storage.path to a file in a folder of its own.`,
    )
  throw new StoreError(`Others may replace files in ${folder}: run "chmod go-w ${folder}".`)
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (cause) {
    throw new StoreError(`${path} cannot be looked at (${codeOf(cause)}).`, { cause })
  }
}

function may(path: string, what: number): boolean {
  try {
    accessSync(path, what)
    return true
  } catch {
    return false
  }
}
