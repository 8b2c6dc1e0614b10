/** The choice of hosts in metrics: what was decided, how true it was, how fast hosts are, and what they have in memory. */

import { type BalancingEvents, holdResults, type LearnedSpeed } from '../balancing/events.ts'
import type { Steps } from '../base/steps.ts'
import { type HostState, type LoadEvents, loadResults, type ModelAtHost } from '../hosts/events.ts'
import type { QueueDepth } from '../queue/events.ts'
import type { Outcome } from '../relay/outcome.ts'
import type { FigureSources, ModelHosts } from './figure-sources.ts'
import type { Labels, Row, SeriesTable } from './series-table.ts'

export function balancingEvents(table: SeriesTable): BalancingEvents {
  return {
    decided({ model, reason, hold, places: [{ host }] }) {
      // One that only made its request wait is counted when that is over.
      if (hold === null) table.increase('routing_decisions_total', { model, host, reason })
    },
    holdEnded({ host }, result, ms) {
      table.increase('routing_holds_total', { host, result })
      table.increase('routing_hold_seconds_total', { host, result }, ms / 1_000)
    },
  }
}

export function loadEvents(table: SeriesTable): LoadEvents {
  return {
    loadBegan: (host, model) => startLoadsAtZero(table, { host, model }),
    loadEnded(host, model, result, ms) {
      table.increase('model_loads_total', { host, model, result })
      if (result === 'ok') table.observe('model_load_duration_seconds', { host, model }, ms / 1_000)
    },
    evicted: (host, model) => table.increase('model_evictions_total', { host, model }),
  }
}

export function startHoldsAtZero(table: SeriesTable, host: string): void {
  for (const result of holdResults) {
    table.start('routing_holds_total', { host, result })
    table.start('routing_hold_seconds_total', { host, result })
  }
}

/** A load takes longer than a scrape is apart, and what was loaded is evicted later still. */
function startLoadsAtZero(table: SeriesTable, at: Labels<'model_evictions_total'>): void {
  for (const result of loadResults) table.start('model_loads_total', { ...at, result })
  table.start('model_evictions_total', at)
}

/** How true it was what its host was chosen by. */
export function recordPrediction(table: SeriesTable, at: Labels<'prefix_cached_tokens_total'>, outcome: Outcome): void {
  const { attemptsMade, upstreamTtftMs, tokens, sources, end, status } = outcome
  const decision = attemptsMade.at(-1)?.decision ?? null
  if (decision === null || end !== '--' || status >= 400) return
  const [{ firstTokenMs, cachedTokens, samples }] = decision.places
  if (upstreamTtftMs !== null && firstTokenMs > 0 && samples > 0) {
    table.observe('routing_first_token_ratio', at, upstreamTtftMs / firstTokenMs)
  }
  // A host that says nothing of its cache proves nothing either way.
  if (sources.cachedInput !== 'reported' || decision.inputTokens === 0) return
  const predicted = Math.round((tokens.input * cachedTokens) / decision.inputTokens)
  table.increase('prefix_predicted_tokens_total', at, predicted)
  table.increase('prefix_cached_tokens_total', at, tokens.cachedInput)
}

type RoutingSources = Pick<FigureSources, 'speeds' | 'modelsAtHosts'>

/** Of one moment. */
interface RoutingNow {
  readonly hosts: readonly HostState[]
  readonly models: readonly ModelHosts[]
  readonly depths: readonly QueueDepth[]
}

export class RoutingMetrics {
  readonly #table: SeriesTable
  readonly #sources: RoutingSources
  /** By host: the models that were in its memory at a scrape. */
  readonly #everResident = new Map<string, Set<string>>()

  constructor(table: SeriesTable, sources: RoutingSources) {
    this.#table = table
    this.#sources = sources
  }

  *write({ hosts, models, depths }: RoutingNow): Steps {
    yield* this.#writeSpeeds()
    yield* this.#writeTelemetry(hosts)
    yield* this.#writeResidency(hosts)
    const table = this.#table
    yield* table.rewrite('model_hosts_resident', modelRows(models, 'resident'), 'gone', 'min')
    yield* table.rewrite('model_hosts_loading', modelRows(models, 'loading'), 'gone')
    yield* table.rewrite('model_load_waiting', waitRows(models, depths), 'gone')
  }

  *#writeSpeeds(): Steps {
    const table = this.#table
    const speeds: LearnedSpeed[] = []
    // What is believed of a place may have to be reckoned anew from all others of its host and its model.
    for (const speed of this.#sources.speeds()) {
      speeds.push(speed)
      yield
    }
    const rows = (of: (speed: LearnedSpeed) => number) =>
      speeds.map((speed) => [{ model: speed.model, host: speed.host }, of(speed)] as const)
    const prefill = rows((speed) => speed.prefillTokensPerSecond)
    const decode = rows((speed) => speed.decodeTokensPerSecond)
    const slowdown = rows((speed) => speed.slowdown)
    // Speeds do not add up: of models that share a label the slowest counts.
    yield* table.rewrite('host_prefill_tokens_per_second', prefill, 'gone', 'min')
    yield* table.rewrite('host_decode_tokens_per_second', decode, 'gone', 'min')
    yield* table.rewrite('host_batch_slowdown', slowdown, 'gone', 'max')
  }

  *#writeTelemetry(hosts: readonly HostState[]): Steps {
    const table = this.#table
    const rows = (of: (telemetry: NonNullable<HostState['telemetry']>) => number | null) =>
      hosts.flatMap(({ name, telemetry }) => {
        const value = telemetry === null ? null : of(telemetry)
        return value === null ? [] : [[{ host: name }, value] as const]
      })
    const memory = rows((telemetry) => telemetry.memoryUsedRatio)
    const cache = rows((telemetry) => telemetry.cacheUsedRatio)
    const queued = rows((telemetry) => telemetry.queued)
    const ages = rows((telemetry) => telemetry.ageMs / 1_000)
    yield* table.rewrite('host_memory_used_ratio', memory, 'gone')
    yield* table.rewrite('host_cache_used_ratio', cache, 'gone')
    yield* table.rewrite('host_queue_depth', queued, 'gone')
    yield* table.rewrite('host_telemetry_age_seconds', ages, 'gone')
  }

  *#writeResidency(hosts: readonly HostState[]): Steps {
    const table = this.#table
    const places = [...this.#sources.modelsAtHosts()]
    const contexts = places.flatMap(({ host, model, contextTokensMax: tokens }) =>
      tokens === null ? [] : [[{ model, host }, tokens] as const],
    )
    yield* table.rewrite('model_context_tokens', contexts, 'gone', 'min')
    const seen = places.filter((place) => this.#isSeen(place))
    const rows = (state: ModelAtHost['residency']) =>
      seen.map(({ host, model, residency }) => [{ model, host }, residency === state ? 1 : 0] as const)
    yield* table.rewrite('model_resident', rows('resident'), 'gone', 'max')
    yield* table.rewrite('model_loading', rows('loading'), 'gone', 'max')
    for (const name of this.#everResident.keys()) {
      if (!hosts.some((host) => host.name === name)) this.#everResident.delete(name)
    }
  }

  /** A host may list hundreds of models that it never loads. */
  #isSeen({ host, model, residency }: ModelAtHost): boolean {
    if (residency === null) return false
    const seen = this.#everResident.get(host) ?? new Set()
    if (residency === 'absent' || seen.has(model)) return seen.has(model)
    startLoadsAtZero(this.#table, { host, model })
    this.#everResident.set(host, seen.add(model))
    return true
  }
}

/** Most models of most fleets are in memory at any time: nothing is said of them. */
function* modelRows(
  models: readonly ModelHosts[],
  figure: 'resident' | 'loading',
): Generator<readonly [labels: { readonly model: string }, value: number]> {
  for (const { model, [figure]: hosts, resident } of models) {
    if (hosts !== null && resident !== null) yield [{ model }, hosts]
  }
}

function* waitRows(models: readonly ModelHosts[], depths: readonly QueueDepth[]): Generator<Row<'model_load_waiting'>> {
  for (const { model, resident } of models) {
    if (resident === null) continue
    const waiting = resident > 0 ? [] : depths.filter((depth) => depth.model === model)
    yield [{ model }, waiting.reduce((sum, depth) => sum + depth.waiting, 0)]
  }
}
