/** Counts what the attempts of one request bring: each has a meter of its own, of which at most the last one counts. */
import type { Answered } from '../balancing/assignment.ts'
import { Meter, type Metered, nothingMetered } from '../metering/meter.ts'
import type { Lease } from '../queue/lease.ts'
import type { AttemptPlan } from './attempt-plan.ts'
import type { RelayParts } from './relay-parts.ts'
import type { RequestAccount } from './request-account.ts'

type MeterParts = Pick<RelayParts, 'clock' | 'phases' | 'tallies' | 'gaps'>

export class RequestMeter {
  readonly #parts: MeterParts
  readonly #account: RequestAccount
  readonly #key: string
  #meter: Meter | null = null

  constructor(parts: MeterParts, account: RequestAccount, key: string) {
    this.#parts = parts
    this.#account = account
    this.#key = key
  }

  /** That of the attempt; `model` is the name that was asked for. */
  of(lease: Lease, plan: AttemptPlan, model: string | null): Meter {
    if (this.#meter !== null) return this.#meter
    const { clock, phases, tallies, gaps } = this.#parts
    const name = model ?? lease.model
    this.#meter = new Meter({
      clock,
      phases,
      tally: tallies.tally(name, lease.host.name, this.#key),
      gaps: plan.showsContent ? (gaps?.of(name, lease.host.name) ?? null) : null,
      stream: plan.showsContent,
      shared: plan.hasSeveralAnswers,
      live: !plan.assembles,
      charge: lease.bill,
      cover: this.#account,
    })
    return this.#meter
  }

  /** Tokens generated so far, as far as they can be seen. */
  get counted(): number {
    return this.#meter?.counted ?? 0
  }

  /** The host has made all of it, whenever its client takes the rest. */
  generated(): void {
    this.#meter?.generated()
  }

  /** How fast the host was, and for how many tokens; null where it cannot be told. */
  shown({ grantedAtMs }: Lease): Omit<Answered, 'wholeMs'> {
    const { firstContentAtMs, timePerOutputTokenMs } = this.#meter?.pace ?? nothingMetered
    const { tokens, sources } = this.soFar(0)
    return {
      firstTokenMs: firstContentAtMs === null ? null : firstContentAtMs - grantedAtMs,
      timePerOutputTokenMs,
      tokens: {
        input: sources.input === 'reported' ? tokens.input : null,
        cachedInput: sources.cachedInput === 'reported' ? tokens.cachedInput : null,
      },
      outputTokens: tokens.output,
    }
  }

  /** The attempt brought nothing, and another may follow. */
  discard(): void {
    this.#meter?.discard()
    this.#meter = null
  }

  /** What `end` would settle if it came now. */
  soFar(promptTokens: number): Metered {
    return this.#meter?.soFar(promptTokens) ?? nothingMetered
  }

  /** `keptBack`: nothing of it reached the client, so that it is nobody's use. */
  end(promptTokens: number, keptBack: boolean): Metered {
    return (keptBack ? this.#meter?.discard() : this.#meter?.end(promptTokens)) ?? nothingMetered
  }
}
