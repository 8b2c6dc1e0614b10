/** The thread that has the files: what waits for a disk or a lock waits here, and never where answers pass. */
import { parentPort, workerData } from 'node:worker_threads'
import type { KeyStore } from '../access/key-store.ts'
import { systemClock } from '../base/clock.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { DirectStore } from './direct-store.ts'
import { messageOf } from './error-codes.ts'
import { KeysFile } from './keys-file.ts'
import type { Store } from './store.ts'
import type { Call, FromThread, KeysCall, LedgerCall, Question, ThreadSettings, ToldError } from './thread-messages.ts'
import { UnwritableStore } from './unwritable-store.ts'
import { openUsage } from './usage-opening.ts'

const port = parentPort
if (port === null) throw new Error('this file is a thread of the store')

const tell = (message: FromThread): void => port.postMessage(message)

let openedStore: Store | null = null
try {
  // oxlint-disable-next-line no-unsafe-type-assertion -- worker-store.ts, which starts this file, gives it
  openedStore = opened(workerData as ThreadSettings)
  tell({ kind: 'ready', notes: openedStore.notes })
} catch (error) {
  tell({ kind: 'failed', error: told(error) })
}

port.on('message', (question: Question) => void respond(question))

function opened({ files, seen, endsUnfinished, whenUnwritable, isReadOnly }: ThreadSettings): Store {
  const { usage, notes } = openUsage(files.usage, { endsUnfinished, whenUnwritable })
  const common = { path: files.keys, usage, clock: systemClock, notes }
  return isReadOnly
    ? new UnwritableStore(common)
    : new DirectStore({ ...common, keys: KeysFile.open(files.keys), seen })
}

async function respond(question: Question): Promise<void> {
  const { number } = question
  try {
    if (openedStore === null) throw new Error('the store is closed')
    tell({ kind: 'answer', number, value: await called(openedStore, question) })
  } catch (error) {
    tell({ kind: 'refusal', number, error: told(error) })
  }
  // Nothing else keeps the thread.
  if ('store' in question && question.store === 'close') port?.close()
}

function called(store: Store, call: Call): Promise<unknown> | undefined {
  if ('keys' in call) return calledKeys(store.keys, call.keys)
  if ('ledger' in call) return calledLedger(store.ledger, call.ledger)
  if (call.store === 'close') return store.close()
  store.watch({
    changed: (change) => tell({ kind: 'changed', change }),
    unreadable: (problem) => tell({ kind: 'unreadable', problem }),
  })
  return undefined
}

function calledKeys(keys: KeyStore, call: KeysCall): Promise<unknown> {
  switch (call.method) {
    case 'insert':
      return keys.insert(...call.values)
    case 'replace':
      return keys.replace(...call.values)
    case 'find':
      return keys.find(...call.values)
    case 'list':
      return keys.list(...call.values)
    case 'setAdminTokenDigest':
      return keys.setAdminTokenDigest(...call.values)
    case 'audit':
      return keys.audit(...call.values)
  }
}

function calledLedger(ledger: LedgerStore, call: LedgerCall): Promise<unknown> {
  switch (call.method) {
    case 'write':
      return ledger.write(...call.values)
    case 'usage':
      return ledger.usage(...call.values)
    case 'charges':
      return ledger.charges(...call.values)
    case 'totals':
      return ledger.totals(...call.values)
    case 'prune':
      return ledger.prune(...call.values)
  }
}

function told(error: unknown): ToldError {
  return { name: error instanceof Error ? error.name : 'Error', message: messageOf(error) }
}
