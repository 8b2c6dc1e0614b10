/**
 * How fast hosts are by what other gateways have learned of them: the first belief of one that has no answers of its own. It is
 * never told on, so that nothing is learned of what was only heard.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import type { Host } from '../hosts/host.ts'
import { halfLifeMs, type Learned } from './host-speed.ts'
import { byName, isFrom, isName, rowsOf } from './told-rows.ts'

/** Host, model there, read ms per token, fixed ms, step ms, slowdown, read samples, step samples. */
export type SpeedRow = readonly [string, string, number, number, number, number, number, number]

/** Of those that told of a host and model the one that did so longest ago is forgotten first: others took its place. */
const gatewaysMax = 16
const modelsMax = 64
/** In one message. */
export const speedRowsMax = 1_000
const samplesMax = 1_000

interface Told {
  readonly learned: Learned
  readonly atMs: number
}

type ByModel = BoundedMap<string, BoundedMap<string, Told>>

export class SpeedsElsewhere {
  readonly #clock: Clock
  readonly #hosts: () => Iterable<Host>
  readonly #byHost = new Map<Host, ByModel>()

  constructor(clock: Clock, hosts: () => Iterable<Host>) {
    this.#clock = clock
    this.#hosts = hosts
  }

  heard(from: string, told: unknown): void {
    const atMs = this.#clock.now()
    const hosts = byName(this.#hosts())
    for (const row of rowsOf(told)) {
      const [name, model] = row
      const learned = learnedOf(row)
      if (!isName(name) || !isName(model) || learned === null) throw new Error('A row of speeds is none.')
      const host = hosts.get(name)
      if (host !== undefined) this.#of(host, model).set(from, { learned, atMs })
    }
  }

  /** What each gateway that told of it has learned, the older the less. */
  *of(host: Host, model: string): Iterable<Learned> {
    for (const [, { learned, atMs }] of this.#byHost.get(host)?.get(model) ?? []) {
      const to = 2 ** ((atMs - this.#clock.now()) / halfLifeMs)
      yield { ...learned, readSamples: learned.readSamples * to, stepSamples: learned.stepSamples * to }
    }
  }

  /** Anybody told of it. */
  has(host: Host): boolean {
    return this.#byHost.has(host)
  }

  /** Hosts that anybody told of, with the models. */
  *all(): Iterable<readonly [Host, string]> {
    for (const [host, models] of this.#byHost) for (const [model] of models) yield [host, model]
  }

  forget(host: Host): void {
    this.#byHost.delete(host)
  }

  #of(host: Host, model: string): BoundedMap<string, Told> {
    let models = this.#byHost.get(host)
    if (models === undefined) {
      models = new BoundedMap(modelsMax)
      this.#byHost.set(host, models)
    }
    const told = models.get(model) ?? new BoundedMap(gatewaysMax)
    models.set(model, told)
    return told
  }
}

export function speedRow(host: Host, model: string, learned: Learned): SpeedRow {
  const { readMsPerToken, fixedMs, stepMs, slowdown, readSamples, stepSamples } = learned
  return [host.name, model, readMsPerToken, fixedMs, stepMs, slowdown, readSamples, stepSamples]
}

/** Null where it is none. */
function learnedOf([
  ,
  ,
  readMsPerToken,
  fixedMs,
  stepMs,
  slowdown,
  readSamples,
  stepSamples,
]: readonly unknown[]): Learned | null {
  if (!isFrom(1e-3, readMsPerToken, 1e3) || !isFrom(0, fixedMs, 1e4)) return null
  if (!isFrom(1e-2, stepMs, 1e4) || !isFrom(0, slowdown, 1)) return null
  if (!isFrom(0, readSamples, samplesMax) || !isFrom(0, stepSamples, samplesMax)) return null
  return { readMsPerToken, fixedMs, stepMs, slowdown, readSamples, stepSamples }
}
