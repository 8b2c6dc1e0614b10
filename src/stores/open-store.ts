/** Opens what the gateway or the command line keeps, and says in one sentence why it cannot. */
import { existsSync } from 'node:fs'
import { type Clock, systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { DamagedError, memoryPath, type OpenOptions } from './database.ts'
import { DirectKeys } from './direct-keys.ts'
import { DirectStore } from './direct-store.ts'
import { type GatewayLock, lockForGateway, makingAlone } from './gateway-lock.ts'
import { KeysFile, type ReadState } from './keys-file.ts'
import type { Store } from './store.ts'
import { checkModes, isWritable, type StoreFiles, storeFiles } from './store-files.ts'
import { readUnwritableKeys } from './unwritable-reading.ts'
import { UsageFile } from './usage-file.ts'
import { WorkerStore } from './worker-store.ts'

export interface StoreSettings {
  /** `:memory:` keeps nothing. */
  readonly path: string
  /** One gateway has the files for itself; the command line comes and goes. */
  readonly role: 'gateway' | 'cli'
  readonly whenUnwritable?: 'refuse' | 'serve'
  readonly clock?: Clock
  /** Present where this gateway is one of several, who are to be given the rows of its ledger. */
  readonly redis?: object | undefined
}

/** Rejects with StoreError. */
export async function openStore(settings: StoreSettings): Promise<Store> {
  const { path, role, clock = systemClock } = settings
  if (path === memoryPath) return inMemory(clock, handsOver(settings))
  const files = storeFiles(path)
  const notes = checkModes(files)
  if (role === 'gateway') return openForGateway(files, settings, notes)
  const file = openKeys(files.keys, { making: (make) => makingAlone(files, make) })
  // A command that only looks leaves nothing behind.
  const usage = new UsageFile(files.usage, { endsUnfinished: false, creates: false })
  return new DirectStore(new DirectKeys({ path: files.keys, file, clock }), usage, notes)
}

function handsOver({ role, redis }: StoreSettings): boolean {
  return role === 'gateway' && redis !== undefined
}

function inMemory(clock: Clock, hands: boolean): Store {
  const keys = new DirectKeys({ path: memoryPath, file: KeysFile.open(memoryPath), clock })
  return new DirectStore(keys, new UsageFile(memoryPath, { endsUnfinished: false, creates: true, handsOver: hands }))
}

async function openForGateway(files: StoreFiles, settings: StoreSettings, notes: readonly string[]): Promise<Store> {
  const { whenUnwritable = 'refuse', clock = systemClock } = settings
  const lock = lockIfWritable(files, whenUnwritable)
  try {
    return await WorkerStore.open({
      files,
      whenUnwritable,
      handsOver: handsOver(settings),
      clock,
      load: () => {
        const { state, problem } = loadForGateway(files.keys, whenUnwritable, lock !== null)
        if (problem === null) return { state, notes, lockIdentity: lock?.identity ?? null }
        const note = `${problem} Keys hold as they are, and what is used is written down once the files can be written.`
        return { state, notes: [...notes, note], lockIdentity: null }
      },
      onClose: () => lock?.release(),
    })
  } catch (error) {
    lock?.release()
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
function lockIfWritable(files: StoreFiles, whenUnwritable: 'refuse' | 'serve'): GatewayLock | null {
  const isKept = existsSync(files.keys)
  if (isWritable(files)) return lockForGateway(files)
  if (whenUnwritable === 'serve' && isKept) return null
  throw new StoreError(
    isKept
      ? `${files.keys}, its ledger or their folder cannot be written by this process: make them writable, or set storage.whenUnwritable to serve to go on with the keys that are there.`
      : `${files.keys} cannot be made, since this process may not write to its folder: make that writable, or set another storage.path.`,
  )
}

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

function openKeys(path: string, options: OpenOptions = {}): KeysFile {
  try {
    const keys = KeysFile.open(path, options)
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
