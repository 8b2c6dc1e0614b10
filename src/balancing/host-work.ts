/**
 * What is under way at each host, as far as the gateway gave it to it or others tell of theirs: prompts to be read, answers to
 * be generated.
 */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { Assignment, type AssignmentParts, type Generated, type Surroundings } from './assignment.ts'
import type { Speeds } from './learned-speeds.ts'
import type { Prefixes } from './prefix-memory.ts'
import { prefillMs, type Speed, stepMs } from './speed.ts'
import { type Elsewhere, nothingElsewhere } from './work-elsewhere.ts'

interface HostWorkParts {
  readonly clock: Clock
  readonly speeds: Speeds
  readonly prefixes: Pick<Prefixes, 'told'>
}

/** What a host has yet to do for those who are there. */
export interface Ahead {
  /** Tokens of prompts that it has yet to read, where it reads so fast. */
  readonly input: number
  /** Tokens that it has yet to generate. */
  readonly output: number
  /** Until a slot is likely to be given back; 0 where one is free. */
  readonly slotWaitMs: number
}

const nothing: Ahead = { input: 0, output: 0, slotWaitMs: 0 }

export class HostWork {
  readonly #parts: HostWorkParts
  /** Of hosts that have any. */
  readonly #byHost = new Map<Host, Work>()
  /** When each slot is given back, the next first; kept, since hosts are chosen often. */
  readonly #ends: number[] = []
  /** Null where nobody tells. */
  #elsewhere: { of(host: Host): Elsewhere } | null = null

  constructor(parts: HostWorkParts) {
    this.#parts = parts
  }

  /** From now on other gateways tell what they have at the hosts. */
  heeds(elsewhere: { of(host: Host): Elsewhere }): void {
    this.#elsewhere = elsewhere
  }

  /** To be called before that changes. */
  changesElsewhere(host: Host): void {
    this.#byHost.get(host)?.changes()
  }

  begin(parts: AssignmentParts, generated: Generated): Assignment {
    const { host } = parts
    let work = this.#byHost.get(host)
    if (work === undefined) {
      const { clock, speeds, prefixes } = this.#parts
      const elsewhere = (): number => this.#at(host).running
      work = new Work({ clock, speeds, prefixes, elsewhere }, () => void this.#byHost.delete(host))
      this.#byHost.set(host, work)
    }
    return work.begin(parts, generated)
  }

  /** How many attempts of this gateway are there. */
  running(host: Host): number {
    return this.#byHost.get(host)?.all.length ?? 0
  }

  /** What is ahead there of one who comes now. `endsBefore`: of slots, those that others are given; null: one is free. */
  ahead(host: Host, speed: Speed, endsBefore: number | null): Ahead {
    const work = this.#byHost.get(host)
    const elsewhere = this.#at(host)
    if (work === undefined && elsewhere.running === 0) return nothing
    const ends = endsBefore === null ? null : this.#ends
    if (ends !== null) ends.length = 0
    const step = stepMs((work?.all.length ?? 0) + elsewhere.running, speed)
    // Whose turn it is between ours and those of others is not known.
    if (ends !== null) insertAlike(ends, elsewhere, step)
    const own = work === undefined ? nothing : ownAhead(work, { speed, step, inputBefore: elsewhere.input, ends })
    const slotWaitMs = ends === null || endsBefore === null ? 0 : endOf(ends, endsBefore)
    return { input: own.input + elsewhere.input, output: own.output + elsewhere.output, slotWaitMs }
  }

  /** What this gateway has given to it, for the others. */
  own(host: Host): Elsewhere {
    const work = this.#byHost.get(host)
    const first = work?.all[0]
    if (work === undefined || first === undefined) return nothingElsewhere
    const speed = this.#parts.speeds.of(host, first.parts.model)
    const step = stepMs(work.together, speed)
    const { input, output } = ownAhead(work, { speed, step, inputBefore: 0, ends: null })
    return { running: work.all.length, input, output }
  }

  #at(host: Host): Elsewhere {
    return this.#elsewhere === null ? nothingElsewhere : this.#elsewhere.of(host)
  }
}

interface OwnAhead {
  readonly speed: Speed
  /** Of one token of each answer, in ms. */
  readonly step: number
  /** Of others, what is read before. */
  readonly inputBefore: number
  /** Takes in when each gives its slot back; null where nobody wants to know. */
  readonly ends: number[] | null
}

function ownAhead(work: Work, { speed, step, inputBefore, ends }: OwnAhead): Pick<Ahead, 'input' | 'output'> {
  const { nowMs, together } = work
  let [input, output] = [0, 0]
  // One prompt after the other, as engines do.
  let read = (work.readingForMs * speed.prefillTokensPerSecond) / 1_000
  for (const assignment of work.all) {
    const { isReading } = assignment
    const { uncachedTokens } = assignment.parts
    if (isReading) {
      const left = Math.max(0, uncachedTokens - read)
      input += left
      // One that would have shown its first token is still being read, however long that takes.
      read = assignment.isUnseen ? read - (uncachedTokens - left) : 0
    }
    const outputLeft = assignment.outputLeft(nowMs, together)
    output += outputLeft
    if (ends !== null) insert(ends, outputLeft * step + (isReading ? prefillMs(inputBefore + input, speed) : 0))
  }
  return { input, output }
}

/** Of others only the sum is known. */
function insertAlike(ends: number[], { running, output }: Elsewhere, step: number): void {
  for (let at = 0; at < running; at++) insert(ends, (output / running) * step)
}

/** When the (`before` + 1)-th is given back, round after round; at once where more are there than slots. */
function endOf(ends: readonly number[], before: number): number {
  if (before < 0) return 0
  const round = Math.floor(before / ends.length)
  const longest = ends.at(-1) ?? 0
  return round * longest + (ends[before % ends.length] ?? longest)
}

/** Into a list that is sorted, and short. */
function insert(sorted: number[], value: number): void {
  let at = sorted.length
  sorted.push(value)
  for (; at > 0; at--) {
    const before = sorted[at - 1] ?? value
    if (before <= value) break
    sorted[at] = before
  }
  sorted[at] = value
}

function isBeingRead(assignment: Assignment): boolean {
  return assignment.isReading
}

interface WorkParts extends HostWorkParts {
  /** Attempts of other gateways there. */
  readonly elsewhere: () => number
}

/** Of one host. */
class Work implements Surroundings {
  readonly speeds: Speeds
  readonly prefixes: Pick<Prefixes, 'told'>
  readonly #clock: Clock
  readonly #elsewhere: () => number
  readonly #onEmpty: () => void
  /** In the order in which they came, and are read. */
  readonly #all: Assignment[] = []
  /** When the host came to the prompt that it reads now. */
  #readingSinceMs: number
  #togetherMs = 0
  #changedAtMs: number

  constructor({ clock, speeds, prefixes, elsewhere }: WorkParts, onEmpty: () => void) {
    this.#clock = clock
    this.#elsewhere = elsewhere
    this.speeds = speeds
    this.prefixes = prefixes
    this.#onEmpty = onEmpty
    this.#readingSinceMs = clock.now()
    this.#changedAtMs = clock.now()
  }

  get all(): readonly Assignment[] {
    return this.#all
  }

  get nowMs(): number {
    return this.#clock.now()
  }

  get together(): number {
    return this.#all.length + this.#elsewhere()
  }

  get togetherMs(): number {
    return this.#togetherMs + this.together * (this.nowMs - this.#changedAtMs)
  }

  get readingForMs(): number {
    return this.nowMs - this.#readingSinceMs
  }

  begin(parts: AssignmentParts, generated: Generated): Assignment {
    this.#settleUnseen(parts.speed)
    if (this.#reading() === null) this.#readingSinceMs = this.nowMs
    this.changes()
    const assignment = new Assignment(parts, this, generated)
    this.#all.push(assignment)
    return assignment
  }

  read(assignment: Assignment): void {
    // What does not show was read when one behind it was.
    for (const before of this.#all) {
      if (before === assignment) break
      if (before.isReading && before.isUnseen) before.wasRead()
    }
    // A host that reads several at once is still at the one that came first.
    if (this.#reading() === assignment) this.#readingSinceMs = this.nowMs
    assignment.wasRead()
  }

  ended(assignment: Assignment): void {
    const at = this.#all.indexOf(assignment)
    if (at < 0) return
    if (this.#reading() === assignment) this.#readingSinceMs = this.nowMs
    this.changes()
    this.#all.splice(at, 1)
    if (this.#all.length === 0) this.#onEmpty()
  }

  /** To be called before one comes or goes, here or elsewhere. */
  changes(): void {
    this.#togetherMs = this.togetherMs
    this.#changedAtMs = this.nowMs
  }

  /** The one whose prompt is being read. */
  #reading(): Assignment | null {
    return this.#all.find(isBeingRead) ?? null
  }

  /** What must have been read by now is not what keeps a newcomer waiting. */
  #settleUnseen(speed: Speed): void {
    for (const assignment of this.#all) {
      if (!assignment.isReading) continue
      const readMs = prefillMs(assignment.parts.uncachedTokens, speed)
      if (!assignment.isUnseen || readMs > this.readingForMs) return
      assignment.wasRead()
      this.#readingSinceMs += readMs
    }
  }
}
