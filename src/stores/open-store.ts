/** Opens what the gateway or the command line keeps, and says in one sentence why it cannot. */
import { existsSync } from 'node:fs'
import { type Clock, systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { DamagedError, memoryPath } from './database.ts'
import { DirectStore } from './direct-store.ts'
import { lockForGateway } from './gateway-lock.ts'
import { KeysFile, type ReadState } from './keys-file.ts'
import type { Store } from './store.ts'
import { checkModes, isWritable, type StoreFiles, storeFiles } from './store-files.ts'
import { readUnwritableKeys } from './unwritable-keys.ts'
import { UsageFile } from './usage-file.ts'
import { WorkerStore } from './worker-store.ts'

export interface StoreSettings {
  /** `:memory:` keeps nothing. */
  readonly path: string
  /** One gateway has the files for itself; the command line comes and goes. */
  readonly role: 'gateway' | 'cli'
  readonly whenUnwritable?: 'refuse' | 'serve'
  readonly clock?: Clock
}

/** Rejects with StoreError. */
export async function openStore(settings: StoreSettings): Promise<Store> {
  const { path, role, clock = systemClock } = settings
  if (path === memoryPath) return inMemory(clock)
  const files = storeFiles(path)
  const notes = checkModes(files)
  if (role === 'gateway') return openForGateway(files, settings, notes)
  const keys = openKeys(files.keys)
  return new DirectStore({
    path: files.keys,
    keys,
    // A command that only looks leaves nothing behind.
    usage: new UsageFile(files.usage, { endsUnfinished: false, creates: false }),
    clock,
    notes,
  })
}

function inMemory(clock: Clock): Store {
  return new DirectStore({
    path: memoryPath,
    keys: KeysFile.open(memoryPath),
    usage: new UsageFile(memoryPath, { endsUnfinished: false, creates: true }),
    clock,
    notes: [],
  })
}

async function openForGateway(
  files: StoreFiles,
  { whenUnwritable = 'refuse', clock = systemClock }: StoreSettings,
  notes: readonly string[],
): Promise<Store> {
  const unlock = lockIfWritable(files, whenUnwritable)
  try {
    const { state, problem } = loadForGateway(files.keys, whenUnwritable, unlock !== null)
    const note = `${problem} Keys hold as they are, and what is used is written down once the files can be written.`
    return await WorkerStore.open({
      files,
      whenUnwritable,
      clock,
      state,
      notes: problem === null ? notes : [...notes, note],
      isReadOnly: problem !== null,
      onClose: () => unlock?.(),
    })
  } catch (error) {
    unlock?.()
    throw error
  }
}

function loadForGateway(
  path: string,
  whenUnwritable: 'refuse' | 'serve',
  mayWrite: boolean,
): { readonly state: ReadState; readonly problem: string | null } {
  if (!mayWrite) return { state: loadUnwritableKeys(path), problem: `${path} cannot be written.` }
  try {
    return { state: loadKeys(path), problem: null }
  } catch (error) {
    const isRead = error instanceof StoreError && !(error.cause instanceof DamagedError) && existsSync(path)
    if (whenUnwritable === 'refuse' || !isRead) throw error
    // A full disk, most of all.
    return { state: loadUnwritableKeys(path), problem: error.message }
  }
}

/** Null where nothing can be written and it shall serve nevertheless: then there is nothing to have for itself. */
function lockIfWritable(files: StoreFiles, whenUnwritable: 'refuse' | 'serve'): (() => void) | null {
  const isKept = existsSync(files.keys)
  if (isWritable(files)) return lockForGateway(files)
  if (whenUnwritable === 'serve' && isKept) return null
  throw new StoreError(
    isKept
      ? `${files.keys}, its ledger or their folder cannot be written by this process: make them writable, or set storage.whenUnwritable to serve to go on with the keys that are there.`
      : `${files.keys} cannot be made, since this process may not write to its folder: make that writable, or set another storage.path.`,
  )
}

/** On this thread, since nothing can be served without them: handing 100,000 of them over would take as long again. */
function loadKeys(path: string): ReadState {
  const keys = openKeys(path)
  try {
    return keys.read()
  } catch (error) {
    throw damagedKeys(error)
  } finally {
    keys.close()
  }
}

function openKeys(path: string): KeysFile {
  try {
    const keys = KeysFile.open(path)
    try {
      keys.check()
      return keys
    } catch (error) {
      keys.close()
      throw error
    }
  } catch (error) {
    throw damagedKeys(error)
  }
}

function loadUnwritableKeys(path: string): ReadState {
  try {
    return readUnwritableKeys(path)
  } catch (error) {
    throw damagedKeys(error)
  }
}

function damagedKeys(error: unknown): unknown {
  if (!(error instanceof DamagedError)) return error
  return new StoreError(
    `${error.message} It holds the keys, so nothing is served without it: put a copy of it in its place. Moved away, a new one is begun: then no key is good any more, and until one is created clients need none.`,
    { cause: error },
  )
}
