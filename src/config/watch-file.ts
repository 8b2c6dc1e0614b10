/**
 * Tells when a file has other content, however it was replaced: written in place, renamed over, behind a symlink that leads
 * elsewhere now (as Kubernetes mounts do it), or taken away and put back.
 *
 * Folders are watched and not the file, since a rename leaves a watched file behind; and it is looked at every few seconds
 * besides, since network and container mounts tell of nothing.
 */
import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Clock, Timer } from '../base/clock.ts'

/** Makes a watch of a folder; a port, so that a test can have one that fails or tells nothing. */
export type WatchFolder = (folder: string, onChange: () => void, onEnd: () => void) => { close(): void }

export interface FileWatchParts {
  readonly clock: Clock
  readonly path: string
  readonly onChange: () => void
  readonly watchFolder?: WatchFolder
}

/** Something was told: editors write, rename and touch in one go. */
const settleMs = 150
/** Where nothing is told. */
const lookEveryMs = 2_000

export class FileWatch {
  readonly #parts: FileWatchParts
  readonly #watchFolder: WatchFolder
  readonly #folders = new Map<string, { readonly id: string | null; close(): void }>()
  /** Of the content that was last told of, or was there at the beginning. */
  #told: string | null = null
  /** As it was seen last: told of once it has been seen so twice, since a file may be half written. */
  #seen: string | null = null
  #timer: Timer | null = null
  #dueAtMs = 0
  #looking = false
  #isAgain = false
  #closed = false

  constructor(parts: FileWatchParts) {
    this.#parts = parts
    this.#watchFolder = parts.watchFolder ?? watchBySystem
  }

  /** What the file is by now counts as known. */
  async start(): Promise<void> {
    this.#told = await stampOf(this.#parts.path)
    this.#seen = this.#told
    await this.#watchFolders()
    this.#lookIn(lookEveryMs)
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    for (const folder of this.#folders.values()) folder.close()
    this.#folders.clear()
  }

  /** Never later than was planned: in a folder where something is always written nobody would ever look. */
  #lookIn(delayMs: number): void {
    const { clock } = this.#parts
    const dueAtMs = clock.now() + delayMs
    if (this.#closed || (this.#timer !== null && this.#dueAtMs <= dueAtMs)) return
    this.#timer?.cancel()
    this.#dueAtMs = dueAtMs
    this.#timer = clock.after(delayMs, () => {
      this.#timer = null
      void this.#look()
    })
  }

  async #look(): Promise<void> {
    if (this.#looking) {
      this.#isAgain = true
      return
    }
    this.#looking = true
    this.#isAgain = false
    const stamp = await stampOf(this.#parts.path)
    await this.#watchFolders()
    this.#looking = false
    if (this.#closed) return
    const isSettled = stamp === this.#seen
    this.#seen = stamp
    const isNew = stamp !== this.#told
    if (isNew && isSettled) this.#told = stamp
    this.#lookIn(this.#isAgain || (isNew && !isSettled) ? settleMs : lookEveryMs)
    if (isNew && isSettled) this.#parts.onChange()
  }

  /** That in which the file is named, and that in which it lies: behind a symlink these are two. */
  async #watchFolders(): Promise<void> {
    const { path } = this.#parts
    const named = dirname(resolve(path))
    const lies = await realpath(path).then(dirname, () => named)
    const wanted = new Map([
      [named, await identityOf(named)],
      [lies, await identityOf(lies)],
    ])
    if (this.#closed) return
    for (const [folder, watcher] of this.#folders) {
      // One that was taken away and made anew has the name, and its watcher tells nothing any more.
      if (wanted.get(folder) === watcher.id) continue
      watcher.close()
      this.#folders.delete(folder)
    }
    for (const [folder, id] of wanted) if (!this.#folders.has(folder)) this.#watch(folder, id)
  }

  /** A folder that cannot be watched, or no more, is tried again at the next look, which sees the file meanwhile. */
  #watch(folder: string, id: string | null): void {
    try {
      const watcher = this.#watchFolder(
        folder,
        () => this.#lookIn(settleMs),
        () => {
          this.#folders.delete(folder)
          watcher.close()
        },
      )
      this.#folders.set(folder, { id, close: () => watcher.close() })
    } catch {
      this.#folders.delete(folder)
    }
  }
}

async function identityOf(folder: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(folder, { bigint: true })
    return `${dev} ${ino}`
  } catch {
    return null
  }
}

/** Another one whenever the content may be another; null while there is no file. */
async function stampOf(path: string): Promise<string | null> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch {
    return null
  }
}

function watchBySystem(folder: string, onChange: () => void, onEnd: () => void): FSWatcher {
  const watcher = watch(folder, { persistent: false }, onChange)
  watcher.on('error', onEnd)
  return watcher
}
