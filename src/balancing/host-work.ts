/** What is under way at each host, as far as the gateway gave it to it: prompts to be read, answers to be generated. */
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { prefillMs, type Speed, stepMs } from './speed.ts'

/** Tokens that an attempt has generated so far. */
interface Generated {
  readonly served: { readonly output: number }
}

/** One attempt at a host. */
export class Assignment {
  readonly host: Host
  readonly model: string
  /** Of its prompt, what the host is likely to have to read. */
  readonly uncachedTokens: number
  /** Of others, what the host had to read before it. */
  readonly inputAhead: number
  /** As estimated; more than one, or the host would be done with it. */
  readonly outputTokens: number
  /** Monotonic. */
  readonly beganAtMs: number
  readonly togetherAtBegin: number
  isReading = true
  readonly #generated: Generated
  readonly #work: HostWork

  constructor(
    work: HostWork,
    parts: Pick<Assignment, 'host' | 'model' | 'uncachedTokens' | 'outputTokens'>,
    generated: Generated,
  ) {
    this.host = parts.host
    this.model = parts.model
    this.uncachedTokens = parts.uncachedTokens
    this.outputTokens = parts.outputTokens
    this.#generated = generated
    this.#work = work
    this.inputAhead = work.inputAhead(parts.host)
    this.beganAtMs = work.nowMs
    this.togetherAtBegin = work.of(parts.host).size + 1
  }

  /** Tokens that are expected still to come. */
  get outputLeft(): number {
    return Math.max(1, this.outputTokens - this.#generated.served.output)
  }

  /** Its prompt was read: the first token is there. */
  firstToken(): void {
    if (!this.isReading) return
    this.isReading = false
    this.#work.read(this.host)
  }

  end(): void {
    this.#work.end(this)
  }
}

const nobody: ReadonlySet<Assignment> = new Set()

export class HostWork {
  readonly #clock: Clock
  readonly #byHost = new Map<Host, Set<Assignment>>()
  /** When the host came to the prompt that it reads now. */
  readonly #readingSinceMs = new Map<Host, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get nowMs(): number {
    return this.#clock.now()
  }

  of(host: Host): ReadonlySet<Assignment> {
    return this.#byHost.get(host) ?? nobody
  }

  begin(assignment: Assignment): void {
    const { host } = assignment
    let those = this.#byHost.get(host)
    if (those === undefined) {
      those = new Set()
      this.#byHost.set(host, those)
    }
    if (![...those].some(({ isReading }) => isReading)) this.#readingSinceMs.set(host, this.nowMs)
    those.add(assignment)
  }

  /** One of its prompts was read, and the next has its turn. */
  read(host: Host): void {
    this.#readingSinceMs.set(host, this.nowMs)
  }

  end(assignment: Assignment): void {
    const those = this.#byHost.get(assignment.host)
    if (those?.delete(assignment) !== true) return
    if (those.size > 0) return
    this.#byHost.delete(assignment.host)
    this.#readingSinceMs.delete(assignment.host)
  }

  /** Tokens of prompts that it has yet to read, where it reads so fast. */
  inputAhead(host: Host, prefillTokensPerSecond = 0): number {
    let tokens = 0
    let isFirst = true
    for (const { isReading, uncachedTokens } of this.of(host)) {
      if (!isReading) continue
      const read = isFirst
        ? ((this.nowMs - (this.#readingSinceMs.get(host) ?? this.nowMs)) / 1_000) * prefillTokensPerSecond
        : 0
      isFirst = false
      tokens += Math.max(0, uncachedTokens - read)
    }
    return tokens
  }

  /** Tokens that it has yet to generate. */
  outputAhead(host: Host): number {
    let tokens = 0
    for (const { outputLeft } of this.of(host)) tokens += outputLeft
    return tokens
  }

  /** Until the (`before` + 1)-th of its slots is likely to be given back, where it is so fast. */
  slotWaitMs(host: Host, speed: Speed, before = 0): number {
    const those = this.of(host)
    if (those.size === 0) return 0
    const step = stepMs(those.size, speed)
    let toRead = 0
    const left: number[] = []
    for (const { isReading, uncachedTokens, outputLeft } of those) {
      if (isReading) toRead += uncachedTokens
      left.push(outputLeft * step + (isReading ? prefillMs(toRead, speed) : 0))
    }
    left.sort((a, b) => a - b)
    const round = Math.floor(before / left.length)
    const longest = left.at(-1) ?? 0
    return round * longest + (left[before % left.length] ?? longest)
  }
}
