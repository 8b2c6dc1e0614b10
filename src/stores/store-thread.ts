/** A thread that has one of the files: what waits for a disk or a lock waits here, and never where answers pass. */
import { parentPort, workerData } from 'node:worker_threads'
import type { KeyStore } from '../access/key-store.ts'
import { systemClock } from '../base/clock.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { DirectKeys } from './direct-keys.ts'
import { messageOf } from './error-codes.ts'
import { LockWatch } from './gateway-lock.ts'
import type { KeyMirror } from './key-mirror.ts'
import { KeysFile } from './keys-file.ts'
import type { KeptKeys } from './store.ts'
import type {
  Call,
  ExchangeCall,
  FromThread,
  KeysCall,
  KeysThreadSettings,
  LedgerCall,
  LedgerThreadSettings,
  MirrorCall,
  Question,
  ThreadSettings,
  ToldError,
} from './thread-messages.ts'
import { UnwritableKeys } from './unwritable-keys.ts'
import type { UsageExchange } from './usage-exchange.ts'
import { openUsage } from './usage-opening.ts'

const port = parentPort
if (port === null) throw new Error('this file is a thread of the store')

const tell = (message: FromThread): void => port.postMessage(message)

interface Served {
  readonly notes: readonly string[]
  answer(call: Call): Promise<unknown> | undefined
  close(): void
}

let served: Served | null = null
try {
  // oxlint-disable-next-line no-unsafe-type-assertion -- restarted-thread.ts, which starts this file, gives it
  const settings = workerData as ThreadSettings
  served = settings.of === 'keys' ? servedKeys(settings) : servedLedger(settings)
  tell({ kind: 'ready', notes: served.notes })
} catch (error) {
  tell({ kind: 'failed', error: told(error) })
}

port.on('message', (question: Question) => void respond(question))

function servedKeys({ files, seen, lockIdentity }: KeysThreadSettings): Served {
  const { keys: path } = files
  const kept: KeptKeys =
    lockIdentity === null
      ? new UnwritableKeys({ path, clock: systemClock })
      : new DirectKeys({
          path,
          file: KeysFile.open(path),
          clock: systemClock,
          seen,
          lock: new LockWatch(files, lockIdentity),
        })
  return {
    notes: [],
    answer: (call) => {
      if ('keys' in call) return calledKeys(kept.keys, call.keys)
      if ('mirror' in call) return calledMirror(kept.mirror, call.mirror)
      kept.watch({
        changed: (change) => tell({ kind: 'changed', change }),
        unreadable: (problem) => tell({ kind: 'unreadable', problem }),
        alarm: (problem) => tell({ kind: 'alarm', problem }),
      })
      return undefined
    },
    close: () => kept.close(),
  }
}

function servedLedger({ path, ...opening }: LedgerThreadSettings): Served {
  const { usage, notes } = openUsage(path, opening)
  return {
    notes,
    answer: (call) => {
      if ('ledger' in call) return calledLedger(usage, call.ledger)
      return 'exchange' in call ? calledExchange(usage, call.exchange) : undefined
    },
    close: () => usage.close(),
  }
}

async function respond(question: Question): Promise<void> {
  const { number } = question
  const ends = 'store' in question && question.store === 'close'
  try {
    if (served === null) throw new Error('the store is closed')
    tell({ kind: 'answer', number, value: ends ? served.close() : await served.answer(question) })
  } catch (error) {
    tell({ kind: 'refusal', number, error: told(error) })
  }
  // Nothing else keeps the thread.
  if (ends) port?.close()
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
    case 'note':
      return keys.note(...call.values)
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

function calledMirror(mirror: KeyMirror, call: MirrorCall): Promise<unknown> {
  switch (call.method) {
    case 'mirror':
      return mirror.mirror(...call.values)
    case 'mirrored':
      return mirror.mirrored(...call.values)
  }
}

function calledExchange(exchange: UsageExchange, call: ExchangeCall): Promise<unknown> {
  switch (call.method) {
    case 'waitingRows':
      return exchange.waitingRows(...call.values)
    case 'handOut':
      return exchange.handOut(...call.values)
    case 'handedOut':
      return exchange.handedOut(...call.values)
    case 'handAnew':
      return exchange.handAnew(...call.values)
    case 'takeIn':
      return exchange.takeIn(...call.values)
    case 'position':
      return exchange.position(...call.values)
  }
}

function told(error: unknown): ToldError {
  return { name: error instanceof Error ? error.name : 'Error', message: messageOf(error) }
}
