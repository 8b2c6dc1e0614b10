/**
 * Gives the rows of this gateway's ledger to the others and takes in theirs, so that each ledger is that of all. A row is in the
 * file before anything of it is given, and stays marked until Redis has it; those of others are written together with the place
 * up to which they were read. So nothing is lost by whatever ends, and the same row twice is one.
 */
import type { Clock, Timer } from '../../base/clock.ts'
import { randomId } from '../../base/ids.ts'
import type { Log } from '../../base/log.ts'
import type { HandOverState } from '../../metering/events.ts'
import type { StreamPosition, UsageExchange } from '../usage-exchange.ts'
import { type RedisLink, RedisUnavailable } from './link.ts'
import type { Script } from './script.ts'
import {
  type HandedRows,
  handOverRows,
  streamAgeMsMax,
  streamBytesMax,
  takeRows,
  usageKeyNames,
} from './usage-scripts.ts'

export interface UsageHandOverParts {
  readonly link: Pick<RedisLink, 'isUp' | 'key' | 'run'>
  readonly exchange: UsageExchange
  readonly clock: Clock
  readonly log: Log
  /** Of this process, never twice. */
  readonly id: string
  /** Of this gateway, as operators know it. */
  readonly name: string
  /** From 0 to 1. */
  readonly chance: () => number
}

/** Up to half as long again, so that gateways do not come all at once. */
const turnEveryMs = 250
const retryMsMax = 30_000
/** No request waits for it. */
const answerMsMax = 2_000
/** One call: some 25 kB, and no noticeable time of Redis. */
const rowsAtOnce = 100
const entriesAtOnce = 20
const callsAtOnce = 50
/** What a Redis has lost of this gateway's rows is given again, as far as it is not older. */
const handedAnewMs = 3_600_000
/** That a date can be; an entry that no gateway wrote may have any. */
const latestMs = 8.64e15

export class UsageHandOver {
  readonly #parts: UsageHandOverParts
  #timer: Timer | null = null
  #turn: Promise<void> | null = null
  #isStopped = true
  #isTurning = false
  /** There is something to give. */
  #isWanted = false
  #failures = 0
  #problem: string | null = null
  /** Of the rows of others; undefined until the file was asked. */
  #position: StreamPosition | null | undefined
  /** The last that was given. */
  #given: StreamPosition | null = null
  #waitingRows = 0
  #waitingSinceMs: number | null = null
  #handedRows = 0
  #takenInRows = 0
  #missedRows = 0
  #hasToldUnknown = false

  constructor(parts: UsageHandOverParts) {
    this.#parts = parts
  }

  /** Resolves once what others have given is taken in, or after `msMax`. */
  async start(msMax: number): Promise<void> {
    this.#isStopped = false
    await this.#atMost(msMax, this.#turnNow())
  }

  state(): HandOverState {
    const nowMs = this.#parts.clock.wallMs()
    return {
      waitingRows: this.#waitingRows,
      lagMs: this.#waitingSinceMs === null ? 0 : Math.max(0, nowMs - this.#waitingSinceMs),
      handedRows: this.#handedRows,
      takenInRows: this.#takenInRows,
      missedRows: this.#missedRows,
    }
  }

  /** Rows were written: they are given at once, so that whoever is killed then has told the others. */
  wrote(): void {
    if (this.#isStopped || this.#failures > 0) return
    this.#isWanted = true
    if (this.#isTurning) return
    this.#timer?.cancel()
    void this.#turnNow()
  }

  /** Gives what is left, as far as that is done in `msMax`; what is not is given by the next process that has the file. */
  async stop(msMax: number): Promise<void> {
    // It never began.
    if (this.#isStopped) return
    this.#isStopped = true
    this.#timer?.cancel()
    await this.#atMost(msMax, this.#lastTurn())
  }

  async #lastTurn(): Promise<void> {
    await this.#turn
    await this.#tryTurn()
  }

  #atMost(ms: number, done: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(ms, resolve)
      void done.finally(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  #after(delayMs: number): void {
    if (this.#isStopped) return
    const { clock, chance } = this.#parts
    this.#timer = clock.after(delayMs * (1 + chance() / 2), () => void this.#turnNow())
  }

  #turnNow(): Promise<void> {
    this.#isTurning = true
    this.#turn = this.#tryTurn().finally(() => {
      this.#isTurning = false
      if (this.#failures > 0) this.#after(Math.min(retryMsMax, turnEveryMs * 2 ** this.#failures))
      else this.#after(this.#isWanted ? 0 : turnEveryMs)
    })
    return this.#turn
  }

  async #tryTurn(): Promise<void> {
    const { link, log } = this.#parts
    this.#isWanted = false
    try {
      if (!link.isUp) await this.#lookAtWaiting()
      else {
        // Whether the stream is another one shows here; where that cannot be had, the others still get what is there for them.
        const [takenIn] = await Promise.allSettled([this.#takeIn()])
        await this.#handOut()
        if (takenIn.status === 'rejected') throw takenIn.reason
      }
      if (this.#problem !== null) log('warn', 'Usage of gateways is handed over again')
      this.#failures = 0
      this.#problem = null
    } catch (error) {
      this.#failed(error instanceof Error ? error.message : String(error), error instanceof RedisUnavailable)
    }
  }

  #failed(problem: string, isRedis: boolean): void {
    // The file is spared while it cannot be used; whether Redis is there is seen by whoever keeps the connection.
    this.#failures = isRedis ? 0 : Math.min(this.#failures + 1, 10)
    if (problem === this.#problem || (isRedis && !this.#parts.link.isUp)) return
    this.#problem = problem
    this.#parts.log('error', 'Usage cannot be handed over between gateways: it stays in the file and is given later', {
      problem,
    })
  }

  async #handOut(): Promise<void> {
    for (let calls = 0; calls < callsAtOnce; calls += 1) {
      const rows = await this.#handOutSome()
      if (rows === rowsAtOnce) continue
      this.#waitingRows = 0
      this.#waitingSinceMs = null
      return
    }
    // Where an hour is given again, neither Redis nor this process is to be busy with it alone: the rest has the next turn.
    await this.#lookAtWaiting()
  }

  /** Resolves with the number of rows. */
  async #handOutSome(): Promise<number> {
    const { exchange, id, name } = this.#parts
    const batch = await exchange.handOut(rowsAtOnce)
    if (batch === null) return 0
    const given = await this.#run(handOverRows, [
      randomId(16),
      id,
      name,
      batch.text,
      batch.rows,
      this.#given?.stream ?? '',
      this.#given?.place ?? '',
      streamAgeMsMax,
      streamBytesMax,
    ])
    if (given.isLost) await this.#handAnew()
    this.#given = { stream: given.stream, place: given.place }
    await exchange.handedOut(batch.number)
    this.#handedRows += batch.rows
    return batch.rows
  }

  async #lookAtWaiting(): Promise<void> {
    const { rows, sinceMs } = await this.#parts.exchange.waitingRows()
    this.#waitingRows = rows
    this.#waitingSinceMs = sinceMs
  }

  async #takeIn(): Promise<void> {
    const { exchange, id } = this.#parts
    this.#position ??= await exchange.position()
    for (let calls = 0; calls < callsAtOnce; calls += 1) {
      const { stream, place, total } = partsOf(this.#position)
      const given = this.#given ?? { stream: '', place: '' }
      const asked = [randomId(16), id, stream, place, total, entriesAtOnce, given.stream, given.place]
      const answer: HandedRows = await this.#run(takeRows, asked)
      if (answer.isLost || answer.stream !== this.#position?.stream) await this.#handAnew()
      const position: StreamPosition = { stream: answer.stream, place: `${answer.place} ${answer.total}` }
      const isMoved = position.stream !== this.#position?.stream || answer.batches.length > 0
      if (isMoved) await this.#written(answer.batches, position)
      this.#position = position
      this.#tellOfGaps(answer)
      if (!answer.isMore) return
    }
  }

  async #written(batches: Parameters<UsageExchange['takeIn']>[0]['batches'], position: StreamPosition): Promise<void> {
    const { rows, unknownRows } = await this.#parts.exchange.takeIn({ batches, position })
    this.#takenInRows += rows
    if (unknownRows === 0) return
    this.#parts.log(
      'warn',
      'Rows of usage of other gateways have a form that this one does not know: they are left out',
      {
        rows: unknownRows,
        from: [...new Set(batches.map(({ from }) => from))].join(', '),
      },
    )
  }

  #tellOfGaps({ missedRows, missedToMs, unknownEntries }: HandedRows): void {
    // Of these nobody knows how many rows they are.
    this.#missedRows += missedRows + unknownEntries
    const { log, link } = this.#parts
    if (missedRows > 0) {
      const until = new Date(Math.min(missedToMs, latestMs)).toISOString()
      log('warn', 'Usage of other gateways is gone before this one could take it in: it was away for too long', {
        rows: missedRows,
        until,
      })
    }
    // Whoever writes such entries may well write many.
    if (unknownEntries === 0 || this.#hasToldUnknown) return
    this.#hasToldUnknown = true
    log(
      'warn',
      'Entries in the stream of usage are none of a gateway, or of one of another version: they are passed over',
      { entries: unknownEntries, stream: link.key('usage') },
    )
  }

  /** Redis has lost what it had, or is another one. */
  async #handAnew(): Promise<void> {
    const { exchange, clock } = this.#parts
    await exchange.handAnew(clock.wallMs() - handedAnewMs)
    this.#given = null
  }

  #run<Answer>(script: Script<Answer>, args: readonly (string | number)[]): Promise<Answer> {
    const { link } = this.#parts
    const keys = usageKeyNames.map((name) => link.key(name))
    return link.run(script, keys, args, { answerMsMax })
  }
}

function partsOf(position: StreamPosition | null) {
  const [place = '', total = '0'] = (position?.place ?? '').split(' ')
  return { stream: position?.stream ?? '', place, total: Number(total) }
}
