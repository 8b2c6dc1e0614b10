/** What a scrape reads of the live totals and states: a metric's own reading of each could not promise figures of one moment. */
import { errorCatalogue } from '../base/errors.ts'
import type { Steps } from '../base/steps.ts'
import type { HostState, LimitDirection, LimitReason } from '../hosts/events.ts'
import type { GapTotals, GeneratingTotals, PhaseTotals } from '../metering/events.ts'
import type { HeldSlots } from '../queue/events.ts'
import { writeLimitRests } from './access-metrics.ts'
import type { FigureSources, ModelHosts } from './figure-sources.ts'
import { startLineAtZero, writeLine } from './line-metrics.ts'
import { startOverheadAtZero, startRequestsAtZero } from './request-metrics.ts'
import { RoutingMetrics, startHoldsAtZero } from './routing-metrics.ts'
import { otherLabel, type Row, type SeriesTable } from './series-table.ts'
import { writeSharing } from './sharing-metrics.ts'
import { TokenMetrics } from './token-metrics.ts'

export class LiveMetrics {
  readonly #table: SeriesTable
  readonly #sources: FigureSources
  readonly #tokens: TokenMetrics
  readonly #routing: RoutingMetrics
  /** Names that requests may use, each with the hosts for which what can be foreseen of it is there; null without room. */
  #models = new Map<string, string | null>()
  readonly #startedHosts = new Set<string>()

  constructor(table: SeriesTable, sources: FigureSources) {
    this.#table = table
    this.#sources = sources
    this.#tokens = new TokenMetrics(table, sources.tokenCosts)
    this.#routing = new RoutingMetrics(table, sources)
    startOverheadAtZero(table)
    startModelAtZero(table, otherLabel)
  }

  *write(): Steps {
    const table = this.#table
    const sources = this.#sources
    const models: ModelHosts[] = []
    for (const model of sources.modelHosts()) {
      models.push(model)
      yield
    }
    yield* table.free()
    yield* this.#startModels(models)
    const { phases, generating } = yield* this.#tokens.write(sources.tokens(), () => ({
      phases: [...sources.phases()],
      generating: [...sources.generating()],
    }))
    yield* writePhases(table, phases)
    yield* table.mirror('host_generating_seconds_total', generatingRows(generating))
    yield* writeGaps(table, [...sources.gaps()])
    yield* writeLimitRests(table, sources.limitRests())
    const hosts = sources.hosts()
    yield* this.#writeHosts(hosts)
    const queue = yield* sources.queueInSteps()
    yield* writeLine(table, queue)
    yield* this.#routing.write({ hosts, models, depths: queue.depths })
    yield* table.rewrite('model_hosts_up', modelHostRows(models), 'gone', 'min')
    yield* table.mirrorHistogram('event_loop_delay_seconds', [[{}, sources.eventLoopDelays()]])
    if (sources.sharing !== null) yield* writeSharing(table, sources.sharing, hosts)
    yield* writeGateway(table, sources)
  }

  *#startModels(listed: readonly ModelHosts[]): Steps {
    const table = this.#table
    const models = new Map<string, string | null>()
    for (const { model, listedBy } of listed) {
      const started = this.#models.get(model)
      // Totals of a name that is new may have been counted as other.
      if (started === undefined) table.renew()
      const hosts = listedBy.join(' ')
      const isMissing = started !== hosts && !table.isHalfFull
      if (isMissing) startModelAtZero(table, model, listedBy)
      models.set(model, isMissing ? hosts : (started ?? null))
      yield
    }
    this.#models = models
  }

  *#writeHosts(hosts: readonly (HostState & HeldSlots)[]): Steps {
    for (const { name } of hosts) {
      if (this.#startedHosts.has(name)) continue
      this.#startedHosts.add(name)
      startHostAtZero(this.#table, name)
      yield
    }
    yield* writeHosts(this.#table, hosts)
  }
}

function* writePhases(table: SeriesTable, totals: readonly PhaseTotals[]): Steps {
  const rows = (of: (total: PhaseTotals) => number) =>
    totals.map((total) => [{ model: total.model, host: total.host }, of(total)] as const)
  const prefill = rows((total) => total.prefillSeconds)
  const decode = rows((total) => total.decodeSeconds)
  const whole = rows((total) => total.wholeSeconds)
  const busy = rows((total) => total.busySeconds)
  yield* table.mirror('prefill_seconds_total', prefill)
  yield* table.mirror('decode_seconds_total', decode)
  yield* table.mirror('whole_seconds_total', whole)
  yield* table.mirror('host_busy_seconds_total', busy)
  yield* table.rewrite('host_streams', streamRows(totals), 'zero')
}

function* streamRows(totals: readonly PhaseTotals[]): Generator<Row<'host_streams'>> {
  for (const { model, host, running } of totals) {
    for (const [phase, streams] of Object.entries(running)) yield [{ model, host, phase }, streams]
  }
}

function* generatingRows(totals: readonly GeneratingTotals[]): Generator<Row<'host_generating_seconds_total'>> {
  for (const { host, seconds } of totals) yield [{ host }, seconds]
}

function* writeGaps(table: SeriesTable, totals: readonly GapTotals[]): Steps {
  const rows = <V>(of: (total: GapTotals) => V) =>
    totals.map((total) => [{ model: total.model, host: total.host }, of(total)] as const)
  const gaps = rows(({ counts, sumSeconds }) => ({ counts, sum: sumSeconds }))
  const stalls = rows((total) => total.stalls)
  yield* table.mirrorHistogram('stream_chunk_gap_seconds', gaps)
  yield* table.mirror('stream_stalls_total', stalls)
}

function* modelHostRows(models: readonly ModelHosts[]): Generator<Row<'model_hosts_up'>> {
  for (const { model, hosts } of models) yield [{ model }, hosts]
}

/** A host that was taken out of the configuration leaves no series behind that would look like one that is down. */
function* writeHosts(table: SeriesTable, hosts: readonly (HostState & HeldSlots)[]): Steps {
  const rows = (of: (host: HostState & HeldSlots) => number) =>
    hosts.map((host) => [{ host: host.name }, of(host)] as const)
  const up = rows((host) => (host.up ? 1 : 0))
  const paused = rows((host) => (host.paused ? 1 : 0))
  const draining = rows((host) => (host.draining ? 1 : 0))
  const inFlight = rows((host) => host.inFlight)
  const limits = rows((host) => host.limit)
  const models = rows((host) => host.models)
  const zombies = rows((host) => host.zombieSlots)
  const open = rows((host) => (host.ejected ? 1 : 0))
  yield* table.rewrite('host_up', up, 'gone', 'min')
  yield* table.rewrite('host_paused', paused, 'gone', 'max')
  yield* table.rewrite('host_draining', draining, 'gone', 'max')
  yield* table.rewrite('host_inflight', inFlight, 'gone')
  yield* table.rewrite('host_concurrency_limit', limits, 'gone')
  yield* table.rewrite('host_models', models, 'gone')
  yield* table.rewrite('host_zombie_slots', zombies, 'gone')
  yield* table.rewrite('host_circuit_open', open, 'gone', 'max')
}

function* writeGateway(table: SeriesTable, sources: FigureSources): Steps {
  const { pendingRows, lostRows, errors } = sources.ledger()
  const dropped = sources.otlpDropped()
  table.set('open_streams', {}, sources.openStreams())
  table.set('client_connections', {}, sources.clientConnections())
  const reload = sources.configReload()
  table.set('config_last_reload_success', {}, reload.isSuccess ? 1 : 0)
  table.set('config_reload_success_timestamp_seconds', {}, reload.takenAtMs / 1_000)
  table.set('overload_stage', {}, sources.overloadStage())
  table.set('ledger_pending_rows', {}, pendingRows)
  table.set('build_info', { version: sources.version, node: process.versions.node }, 1)
  yield* table.mirror('log_dropped_total', [[{}, sources.logDropped()]])
  yield* table.mirror('otlp_dropped_total', [
    [{ signal: 'traces' }, dropped.traces],
    [{ signal: 'metrics' }, dropped.metrics],
  ])
  yield* table.mirror('usage_rows_lost_total', [[{}, lostRows]])
  yield* table.mirror('store_errors_total', [[{}, errors]])
  yield* table.mirror('metrics_series_folded_total', [[{}, table.foldedCount]])
  // Last, since it counts what the lines above made.
  table.set('metric_series', {}, table.seriesCount)
}

const hostFaults = Object.keys(errorCatalogue).filter((code) => code.startsWith('upstream_'))
/** A limit falls for what was too slow or too much, and grows for room. */
const limitChanges = [
  ['up', 'room'],
  ['down', 'tpot'],
  ['down', 'ttft'],
  ['down', 'busy'],
] as const satisfies readonly (readonly [LimitDirection, LimitReason])[]

function startHostAtZero(table: SeriesTable, host: string): void {
  startHoldsAtZero(table, host)
  table.start('host_attempts_total', { host })
  for (const reason of hostFaults) table.start('host_errors_total', { host, reason })
  for (const source of ['reported', 'counted', 'estimated']) table.start('usage_source_total', { host, source })
  for (const [direction, reason] of limitChanges) table.start('host_limit_changes_total', { host, direction, reason })
  table.start('usage_rejected_total', { host })
  table.start('bad_frames_total', { host })
}

/** Of each model at each host. */
const placeCounters = [
  'decode_tokens_total',
  'decode_token_seconds_total',
  'prefill_tokens_total',
  'prefill_token_seconds_total',
  'discarded_tokens_total',
  'prefill_seconds_total',
  'decode_seconds_total',
  'whole_seconds_total',
  'host_busy_seconds_total',
  'stream_stalls_total',
  'prefix_predicted_tokens_total',
  'prefix_cached_tokens_total',
] as const

function startModelAtZero(table: SeriesTable, model: string, hosts: readonly string[] = []): void {
  startLineAtZero(table, model)
  startRequestsAtZero(table, model)
  for (const host of hosts) {
    for (const name of placeCounters) table.start(name, { model, host })
  }
}
