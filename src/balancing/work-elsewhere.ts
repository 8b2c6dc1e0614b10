/**
 * What hosts have to do for other gateways, as these tell with each beat. What one tells is all that it has there and never a
 * difference, so that a message that was lost is made good by the next; what it last told counts no longer than a few beats.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { fieldsOf, isFrom, isName, rowsOf } from './told-rows.ts'

/** Of one host. */
export interface Elsewhere {
  readonly running: number
  /** Tokens of prompts that it has yet to read, and of answers that it has yet to generate. */
  readonly input: number
  readonly output: number
}

export const nothingElsewhere: Elsewhere = { running: 0, input: 0, output: 0 }

/** As it is told: host, running, input, output. */
type Row = readonly [string, number, number, number]

interface Told {
  /** Or only those that have changed. */
  readonly isAll: boolean
  readonly rows: readonly Row[]
}

export interface WorkElsewhereParts {
  readonly clock: Clock
  readonly hosts: () => Iterable<Host>
  /** What this gateway has given to the host. */
  readonly own: (host: Host) => Elsewhere
  /** To be called before what others have there changes. */
  readonly onChange: (host: Host) => void
}

/** What was told counts for so long: some beats. */
export const staleAfterMs = 1_000
/** All is told with each of so many beats. */
const beatsOfAll = 5
/** More is a fault of whoever tells it. */
const requestsMax = 100_000
const tokensMax = 1e9
/** What an answer of others has yet to generate where nothing is known of it: half of one of ordinary length. */
export const outputLeftAssumed = 128

export class WorkElsewhere {
  readonly #parts: WorkElsewhereParts
  readonly #byReplica = new Map<string, { readonly rows: Map<string, Row>; stale: Timer }>()
  readonly #sums = new WeakMap<Host, Elsewhere>()
  readonly #lastTold = new Map<string, Row>()
  #beats = 0

  constructor(parts: WorkElsewhereParts) {
    this.#parts = parts
  }

  /** Slots that were taken since then are known as soon as one is asked for; what they are for is not. */
  of(host: Host): Elsewhere {
    const { held } = host.elsewhere
    const told = this.#sums.get(host) ?? nothingElsewhere
    if (held === told.running) return told
    if (held < told.running) {
      const share = held / told.running
      return { running: held, input: told.input * share, output: told.output * share }
    }
    return { ...told, running: held, output: told.output + (held - told.running) * outputLeftAssumed }
  }

  /** For the others. */
  tell(): Told {
    const isAll = this.#beats++ % beatsOfAll === 0
    const rows: Row[] = []
    const before = new Map(this.#lastTold)
    this.#lastTold.clear()
    for (const host of this.#parts.hosts()) {
      const { running, input, output } = this.#parts.own(host)
      const row: Row = [host.name, running, Math.round(input), Math.round(output)]
      if (hasWork(row)) this.#lastTold.set(host.name, row)
      if (isAll ? hasWork(row) : !areEqual(row, before.get(host.name))) rows.push(row)
    }
    return { isAll, rows }
  }

  /** The others may have forgotten what they were told. */
  tellAllNext(): void {
    this.#beats = 0
  }

  heard(from: string, told: unknown): void {
    const { isAll, rows } = toldOf(told)
    const known = this.#byReplica.get(from)
    known?.stale.cancel()
    const kept = isAll ? new Map<string, Row>() : (known?.rows ?? new Map<string, Row>())
    for (const row of rows) {
      if (hasWork(row)) kept.set(row[0], row)
      else kept.delete(row[0])
    }
    const stale = this.#parts.clock.after(staleAfterMs, () => this.gone(from))
    this.#byReplica.set(from, { rows: kept, stale })
    this.#sum(isAll)
  }

  gone(from: string): void {
    this.#byReplica.get(from)?.stale.cancel()
    if (this.#byReplica.delete(from)) this.#sum(true)
  }

  /** `isSure`: what was known of slots since, by asking for one, is older by now. */
  #sum(isSure: boolean): void {
    for (const host of this.#parts.hosts()) {
      let [running, input, output] = [0, 0, 0]
      for (const { rows } of this.#byReplica.values()) {
        const row = rows.get(host.name)
        if (row === undefined) continue
        running += row[1]
        input += row[2]
        output += row[3]
      }
      const before = this.#sums.get(host) ?? nothingElsewhere
      if (before.running === 0 && running === 0 && host.elsewhere.held === 0) continue
      this.#parts.onChange(host)
      this.#sums.set(host, running === 0 ? nothingElsewhere : { running, input, output })
      if (isSure || running !== before.running) host.elsewhere.told(running, this.#parts.clock.now())
    }
  }
}

function hasWork(row: Row): boolean {
  return row[1] > 0
}

function areEqual(one: Row, other: Row | undefined): boolean {
  if (other === undefined) return !hasWork(one)
  return one[1] === other[1] && one[2] === other[2] && one[3] === other[3]
}

/** Throws where it makes no sense, which is told of once. */
function toldOf(told: unknown): Told {
  const { isAll, rows } = fieldsOf(told)
  const all = rowsOf(rows)
  if (!all.every(isRow)) throw new Error('A row of the work of hosts is none.')
  return { isAll: isAll === true, rows: all }
}

function isRow(row: readonly unknown[]): row is Row {
  const [name, running, input, output] = row
  return isName(name) && isFrom(0, running, requestsMax) && isFrom(0, input, tokensMax) && isFrom(0, output, tokensMax)
}
