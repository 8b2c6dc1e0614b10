/** How fast each host is with each model, learned from what passes through. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { Believed } from './believed.ts'
import { FirstTokenJudge, type Judgement, type UntoldFirstToken } from './first-token-judge.ts'
import { assumedPace, HostSpeed, type Learned, type Pace, paceOf, type SpeedSample, speedOf } from './host-speed.ts'
import type { Speed } from './speed.ts'
import { type SpeedRow, SpeedsElsewhere, speedRow, speedRowsMax } from './speeds-elsewhere.ts'

export type { SpeedSample } from './host-speed.ts'

export interface LearnedSpeed {
  readonly host: Host
  /** Its name there. */
  readonly model: string
  readonly speed: Speed
}

export interface Speeds {
  /** What is expected of it, learned or assumed. */
  of(host: Host, model: string): Speed
  observe(host: Host, model: string, sample: SpeedSample): void
  /** What of its prompt the host had kept, of an answer that does not say it. */
  judge(host: Host, model: string, told: Omit<UntoldFirstToken, 'prefillTokensPerSecond'>): Judgement
  /** The host is no more, or is another one now. */
  forget(host: Host): void
  /** Pairs of which anything was learned. */
  all(): Iterable<LearnedSpeed>
}

/** A host has fewer on its disk, or those not used for longest are forgotten. */
const modelsPerHostMax = 64
/** What follows from time alone is reckoned anew only so often: a host is chosen many times in a second. */
const freshForMs = 1_000
/** Fewer answers tell others nothing. */
const toldSamplesMin = 0.5

interface Known {
  readonly measured: HostSpeed
  readonly judge: FirstTokenJudge
  prior: Pace
  freshUntilMs: number
  /** Null where it must be reckoned anew. */
  speed: Speed | null
}

export class LearnedSpeeds implements Speeds {
  readonly #clock: Clock
  readonly #byHost = new Map<Host, BoundedMap<string, Known>>()
  /** Of models that a host has not answered with yet, by what is known of the host; null: of all of which nothing is. */
  readonly #unlearned = new Map<Host | null, Map<string, Speed>>()
  #unlearnedUntilMs = 0
  /** Null where nobody else tells. */
  #elsewhere: SpeedsElsewhere | null = null

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock
  }

  /** From now on what other gateways tell is believed of what this one has no answers of. */
  heeds(hosts: () => Iterable<Host>): SpeedsElsewhere {
    this.#elsewhere = new SpeedsElsewhere(this.#clock, hosts)
    return this.#elsewhere
  }

  /** For the others: what was learned here, of what there are answers of late; undefined where nothing was. */
  told(): readonly SpeedRow[] | undefined {
    const nowMs = this.#clock.now()
    const rows: SpeedRow[] = []
    for (const [host, models] of this.#byHost) {
      for (const [model, known] of models) {
        const learned = learnedNow(known, nowMs)
        if (Math.max(learned.readSamples, learned.stepSamples) >= toldSamplesMin)
          rows.push(speedRow(host, model, learned))
      }
    }
    return rows.length === 0 ? undefined : rows.slice(-speedRowsMax)
  }

  of(host: Host, model: string): Speed {
    const nowMs = this.#clock.now()
    const models = this.#byHost.get(host)
    const known = models?.get(model)
    // All hosts of which nothing is known are one, or the first asked about would differ from its equals by what came in between.
    if (known === undefined) return this.#ofUnlearned(this.#isKnown(host) ? host : null, model, nowMs)
    if (nowMs >= known.freshUntilMs) this.#freshen(known, this.#believed(host, model, nowMs), nowMs)
    known.speed ??= speedNow(known, nowMs)
    return known.speed
  }

  observe(host: Host, model: string, sample: SpeedSample): void {
    const nowMs = this.#clock.now()
    const known = this.#known(host, model, nowMs)
    known.measured.observe(sample, nowMs, known.prior)
    known.speed = null
  }

  judge(host: Host, model: string, told: Omit<UntoldFirstToken, 'prefillTokensPerSecond'>): Judgement {
    const { prefillTokensPerSecond } = this.of(host, model)
    return this.#known(host, model, this.#clock.now()).judge.judge({ ...told, prefillTokensPerSecond })
  }

  forget(host: Host): void {
    this.#byHost.delete(host)
    this.#unlearned.delete(host)
    this.#elsewhere?.forget(host)
  }

  *all(): Iterable<LearnedSpeed> {
    for (const [host, models] of this.#byHost) {
      for (const [model] of models) yield { host, model, speed: this.of(host, model) }
    }
  }

  #isKnown(host: Host): boolean {
    return this.#byHost.has(host) || this.#elsewhere?.has(host) === true
  }

  #known(host: Host, model: string, nowMs: number): Known {
    let models = this.#byHost.get(host)
    if (models === undefined) {
      models = new BoundedMap(modelsPerHostMax)
      this.#byHost.set(host, models)
    }
    const known = models.get(model) ?? {
      measured: new HostSpeed(nowMs),
      judge: new FirstTokenJudge(this.#clock),
      prior: this.#believed(host, model, nowMs),
      freshUntilMs: nowMs + freshForMs,
      speed: null,
    }
    // Again, so that it is the last to be forgotten.
    models.set(model, known)
    return known
  }

  #freshen(known: Known, prior: Pace, nowMs: number): void {
    known.prior = prior
    known.freshUntilMs = nowMs + freshForMs
    known.speed = null
  }

  /** It goes through all that is known of the host and the model: too much for each place of each choice. */
  #ofUnlearned(host: Host | null, model: string, nowMs: number): Speed {
    if (nowMs >= this.#unlearnedUntilMs) {
      this.#unlearned.clear()
      this.#unlearnedUntilMs = nowMs + freshForMs
    }
    let speeds = this.#unlearned.get(host)
    if (speeds === undefined) {
      speeds = new Map()
      this.#unlearned.set(host, speeds)
    }
    let speed = speeds.get(model)
    if (speed === undefined) {
      speed = speedOf(this.#believed(host, model, nowMs), 0)
      speeds.set(model, speed)
    }
    return speed
  }

  /**
   * Without its own answers: what others are like with this model, or it is like with others; and before that what other
   * gateways have learned of it.
   */
  #believed(host: Host | null, model: string, nowMs: number): Pace {
    const believed = new Believed(assumedPace)
    for (const [other, models] of this.#byHost) {
      if (other === host) {
        for (const [name, known] of models) if (name !== model) believed.ofHost(learnedNow(known, nowMs))
      } else {
        const known = models.get(model)
        if (known !== undefined) believed.ofModel(learnedNow(known, nowMs))
      }
    }
    return this.#elsewhere === null ? believed.pace() : believedWith(this.#elsewhere, believed, host, model)
  }
}

function believedWith(elsewhere: SpeedsElsewhere, believed: Believed, host: Host | null, model: string): Pace {
  for (const [other, name] of elsewhere.all()) {
    if (other !== host && name === model) for (const learned of elsewhere.of(other, name)) believed.ofModel(learned)
    if (other === host && name !== model) for (const learned of elsewhere.of(other, name)) believed.ofHost(learned)
  }
  if (host === null) return believed.pace()
  const ofSame = new Believed(believed.pace())
  for (const learned of elsewhere.of(host, model)) ofSame.ofModel(learned)
  return ofSame.pace()
}

function learnedNow({ measured, prior }: Known, nowMs: number): Learned {
  return measured.learned(nowMs, prior)
}

function speedNow(known: Known, nowMs: number): Speed {
  const learned = learnedNow(known, nowMs)
  return speedOf(paceOf(learned, known.prior), Math.max(learned.readSamples, learned.stepSamples))
}
