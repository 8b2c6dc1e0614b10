/** The ledger's file at a start: ends what a dead gateway left open, and sets a damaged file aside. */
import { existsSync, renameSync } from 'node:fs'
import { systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { checkStructure, DamagedError, wasClosed } from './database.ts'
import { UsageFile } from './usage-file.ts'

interface UsageOpening {
  readonly endsUnfinished: boolean
  readonly whenUnwritable: 'refuse' | 'serve'
  readonly handsOver?: boolean
}

export function openUsage(
  path: string,
  { endsUnfinished, whenUnwritable, handsOver = false }: UsageOpening,
): { readonly usage: UsageFile; readonly notes: readonly string[] } {
  const usage = new UsageFile(path, { endsUnfinished, creates: true, handsOver })
  // A thread that takes another's place has no start to look at: whatever is wrong shows when it writes.
  if (!endsUnfinished) return { usage, notes: [] }
  try {
    return { usage, notes: started(usage, path) }
  } catch (error) {
    if (whenUnwritable === 'serve' && error instanceof StoreError)
      return { usage, notes: [`The ledger cannot be used yet: ${error.message}`] }
    usage.close()
    throw error
  }
}

function started(usage: UsageFile, path: string): readonly string[] {
  const closed = wasClosed(path)
  try {
    usage.start((database) => checkStructure(database, closed))
    return []
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error
    usage.release()
    const aside = setAside(path)
    usage.start(() => {})
    return [
      `THE LEDGER WAS DAMAGED and is set aside as ${aside}; a new one is begun, and usage and limits count from now. (${error.message}) What can be read of the old one: sqlite3 ${aside} .recover`,
    ]
  }
}

/** With its log, without which the last rows could not be recovered. */
function setAside(path: string): string {
  const time = new Date(systemClock.wallMs()).toISOString().replaceAll(/[:.]/g, '-')
  const aside = `${path}.corrupt-${time}`
  for (const ending of ['-wal', '-shm', '']) {
    if (existsSync(path + ending)) renameSync(path + ending, aside + ending)
  }
  return aside
}
