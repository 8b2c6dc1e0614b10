/** The thread that has the files: what waits for a disk or a lock waits here, and never where answers pass. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../base/clock.ts'
import { DirectStore } from './direct-store.ts'
import { KeysFile } from './keys-file.ts'
import type { Store } from './store.ts'
import type { FromThread, Question, ThreadSettings, ToldError } from './thread-messages.ts'
import { openUsage } from './usage-opening.ts'

const port = parentPort
if (port === null) throw new Error('this file is a thread of the store')

const tell = (message: FromThread): void => port.postMessage(message)

let store: Store | null = null
try {
  store = opened(workerData as ThreadSettings)
  tell({ kind: 'ready', notes: store.notes })
} catch (error) {
  tell({ kind: 'failed', error: told(error) })
}

port.on('message', (question: Question) => {
  void answer(question).then(tell)
})

function opened({ files, seen, endsUnfinished, whenUnwritable }: ThreadSettings): Store {
  const { usage, notes } = openUsage(files.usage, { endsUnfinished, whenUnwritable })
  const keys = KeysFile.open(files.keys)
  return new DirectStore({ path: files.keys, keys, usage, clock: systemClock, notes, seen })
}

async function answer({ number, asked, values }: Question): Promise<FromThread> {
  try {
    return { kind: 'answer', number, value: await done(asked, values) }
  } catch (error) {
    return { kind: 'refusal', number, error: told(error) }
  }
}

async function done(asked: Question['asked'], values: readonly unknown[]): Promise<unknown> {
  if (store === null) throw new Error('the store is closed')
  if (asked === 'watch') {
    store.watch({
      changed: (change) => tell({ kind: 'changed', change }),
      unreadable: (problem) => tell({ kind: 'unreadable', problem }),
    })
    return undefined
  }
  if (asked === 'close') {
    await store.close()
    store = null
    // Nothing else keeps the thread.
    port?.close()
    return undefined
  }
  const [part, method] = asked.split('.') as ['keys' | 'ledger', string]
  const methods = store[part] as unknown as Record<string, (...given: readonly unknown[]) => Promise<unknown>>
  return await methods[method]!(...values)
}

function told(error: unknown): ToldError {
  return error instanceof Error
    ? { name: error.name, message: error.message }
    : { name: 'Error', message: String(error) }
}
