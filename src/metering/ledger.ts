/** The ledger's near end: takes what happens to requests at once, and writes it in batches behind their backs. */
import type { Clock, Timer } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { LedgerState } from './events.ts'
import type {
  AdmittedRequest,
  LedgerRow,
  LedgerStore,
  RequestFigures,
  RequestLedger,
  SettledRequest,
} from './ledger-store.ts'

/** A crash loses what came later than the last batch, so that this and the time to write must stay under a second. */
const batchEveryMs = 500
const batchRowsMax = 500
const retryMsMin = 1_000
const retryMsMax = 30_000
/** Between tries at a stop, when there is little time. */
const lastRetryMs = 100

export interface LedgerOptions {
  readonly pendingRowsMax: number
  readonly whenFull: 'continue' | 'refuse'
}

export interface LedgerParts {
  readonly store: Pick<LedgerStore, 'write'>
  readonly clock: Clock
  readonly log: Log
}

interface Entry {
  readonly admitted: AdmittedRequest
  /** Null once it is settled, so that nothing of the request is held for a row that waits. */
  progress: (() => RequestFigures) | null
  settled: SettledRequest | null
  /** As last given to the store. */
  figures: RequestFigures | null
  /** Counts what is to be written, so that what changes during a write is written again. */
  version: number
  /** The one that is being written. */
  versionWritten: number
}

export class Ledger implements RequestLedger {
  readonly #options: LedgerOptions
  readonly #parts: LedgerParts
  /** Admitted and not settled. */
  readonly #live = new Map<string, Entry>()
  /** To be written, the oldest first. A row leaves only once it is written, so that a failure changes nothing. */
  readonly #pending = new Set<Entry>()
  /** Those that are still to be looked at in this round. */
  #round: Iterator<Entry> | null = null
  #roundBeganMs = Number.NEGATIVE_INFINITY
  #timer: Timer | null = null
  #writing: Promise<void> | null = null
  #failures = 0
  #errors = 0
  #lost = 0
  #problem: string | null = null
  #tellsOfLoss = true

  constructor(options: LedgerOptions, parts: LedgerParts) {
    this.#options = options
    this.#parts = parts
  }

  /** Newcomers are to be refused, since nothing more could be written down. */
  get full(): boolean {
    return this.#options.whenFull === 'refuse' && this.#isFull
  }

  /** What newcomers are answered while it is full, else null. */
  refusal(): GatewayError | null {
    return this.full
      ? new GatewayError('store_unavailable', 'The gateway cannot write its ledger, so it takes no newcomers.')
      : null
  }

  /** `progress` is asked for the figures so far, until the request is settled. */
  admitted(request: AdmittedRequest, progress: () => RequestFigures): void {
    if (this.#isFull && this.#options.whenFull === 'continue') {
      this.#lose(1)
      return
    }
    const entry: Entry = {
      admitted: request,
      progress,
      settled: null,
      figures: null,
      version: 0,
      versionWritten: 0,
    }
    this.#live.set(request.id, entry)
    this.#changed(entry)
  }

  settled(id: string, settled: SettledRequest): void {
    const entry = this.#live.get(id)
    // Its row was counted as lost when it was admitted.
    if (entry === undefined) return
    this.#live.delete(id)
    entry.settled = settled
    entry.progress = null
    this.#changed(entry)
  }

  state(): LedgerState {
    return {
      pendingRows: this.#pending.size,
      lostRows: this.#lost,
      errors: this.#errors,
      problem: this.#problem,
    }
  }

  /** At a stop: writes all that is left, or says how much could not be written in `msMax`. */
  async flush(msMax: number): Promise<void> {
    const { clock, log } = this.#parts
    const endsAt = clock.now() + msMax
    for (const entry of this.#live.values()) this.#takeFiguresOf(entry)
    while (this.#pending.size > 0 || this.#writing !== null) {
      const leftMs = endsAt - clock.now()
      if (leftMs <= 0) break
      const failures = this.#failures
      await this.#atMost(leftMs, this.#writing ?? this.#write())
      if (this.#failures > failures) await this.#atMost(Math.min(lastRetryMs, endsAt - clock.now()), null)
    }
    this.#timer?.cancel()
    this.#timer = null
    if (this.#pending.size === 0) return
    log('error', 'Rows of the ledger could not be written before the end and are lost', {
      rows: this.#pending.size,
      problem: this.#problem ?? 'the store did not answer in time',
    })
    this.#lost += this.#pending.size
    this.#pending.clear()
  }

  get #isFull(): boolean {
    return this.#pending.size >= this.#options.pendingRowsMax
  }

  #changed(entry: Entry): void {
    entry.version += 1
    this.#pending.add(entry)
    if (this.#pending.size === batchRowsMax && this.#failures === 0) this.#writeAfter(0)
    else if (this.#timer === null) this.#writeAfter(batchEveryMs)
  }

  #writeAfter(delayMs: number): void {
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.after(delayMs, () => {
      this.#timer = null
      if (this.#writing !== null) return
      this.#takeFigures(batchRowsMax)
      void this.#write()
    })
  }

  /**
   * What runs is written down as far as it is, so that a crash loses a second of it and no more: each of them once in a
   * round, and `most` of them in a turn, since thousands may run and all of them may have come further meanwhile.
   */
  #takeFigures(most: number): void {
    const nowMs = this.#parts.clock.now()
    if (this.#round === null) {
      // Not after each of several batches; nor may a timer that is early by a part of a millisecond put it off.
      if (nowMs - this.#roundBeganMs < batchEveryMs / 2) return
      this.#round = this.#live.values()
      this.#roundBeganMs = nowMs
    }
    for (let looked = 0; looked < most; looked++) {
      const next = this.#round.next()
      if (next.done === true) {
        this.#round = null
        return
      }
      this.#takeFiguresOf(next.value)
    }
  }

  #takeFiguresOf(entry: Entry): void {
    if (this.#pending.has(entry) || entry.progress === null) return
    if (isSame(entry.figures, entry.progress())) return
    entry.version += 1
    this.#pending.add(entry)
  }

  #write(): Promise<void> {
    this.#writing = this.#writeBatch().finally(() => {
      this.#writing = null
      this.#goOn()
    })
    return this.#writing
  }

  async #writeBatch(): Promise<void> {
    const batch: Entry[] = []
    for (const entry of this.#pending) {
      entry.versionWritten = entry.version
      batch.push(entry)
      if (batch.length === batchRowsMax) break
    }
    if (batch.length === 0) return
    try {
      await this.#parts.store.write(batch.map(rowOf))
      for (const entry of batch) if (entry.version === entry.versionWritten) this.#pending.delete(entry)
      this.#succeeded()
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error))
    }
  }

  #goOn(): void {
    if (this.#failures > 0) {
      this.#writeAfter(Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#failures - 1, 10)))
      return
    }
    if (this.#pending.size >= batchRowsMax || this.#round !== null) this.#writeAfter(0)
    else if (this.#pending.size > 0 || this.#live.size > 0) this.#writeAfter(batchEveryMs)
  }

  #succeeded(): void {
    this.#failures = 0
    if (!this.#isFull) this.#tellsOfLoss = true
    if (this.#problem === null) return
    this.#problem = null
    this.#parts.log('warn', 'The ledger is written again', { pendingRows: this.#pending.size, lostRows: this.#lost })
  }

  #failed(problem: string): void {
    this.#failures += 1
    this.#errors += 1
    if (problem === this.#problem) return
    this.#problem = problem
    const { whenFull, pendingRowsMax } = this.#options
    this.#parts.log('error', 'The ledger cannot be written: requests are served, their rows are held in memory', {
      problem,
      pendingRows: this.#pending.size,
      pendingRowsMax,
      whenFull: whenFull === 'refuse' ? 'newcomers are answered 503' : 'further rows are lost and counted',
    })
  }

  #lose(rows: number): void {
    this.#lost += rows
    if (!this.#tellsOfLoss) return
    this.#tellsOfLoss = false
    this.#parts.log('error', 'Rows of the ledger are being lost: no more are held in memory', {
      pendingRowsMax: this.#options.pendingRowsMax,
      problem: this.#problem ?? 'the store does not keep up',
    })
  }

  /** Until `done`, or for `ms`; without it for `ms`. */
  #atMost(ms: number, done: Promise<void> | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(Math.max(0, ms), resolve)
      void done?.finally(() => {
        timer.cancel()
        resolve()
      })
    })
  }
}

function rowOf(entry: Entry): LedgerRow {
  const { admitted, settled } = entry
  entry.figures = settled ?? entry.progress?.() ?? null
  return { admitted, figures: settled === null ? entry.figures : null, settled }
}

function isSame(a: RequestFigures | null, b: RequestFigures): boolean {
  return (
    a !== null &&
    a.output === b.output &&
    a.input === b.input &&
    a.host === b.host &&
    a.cachedInput === b.cachedInput &&
    a.reasoning === b.reasoning &&
    a.inputSource === b.inputSource &&
    a.outputSource === b.outputSource
  )
}
