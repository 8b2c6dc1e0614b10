/** What a scrape reads of the live totals and states, in short turns of the event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { errorCatalogue } from '../base/errors.ts'
import type { HostState, LimitDirection, LimitReason } from '../hosts/events.ts'
import type { PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { HeldSlots } from '../queue/events.ts'
import { writeLimitRests } from './access-metrics.ts'
import { startLineAtZero, writeLine, writeServiceCost } from './line-metrics.ts'
import type { MetricSources } from './metrics.ts'
import { startRequestsAtZero } from './request-metrics.ts'
import type { CounterName, Row, SeriesTable } from './series-table.ts'

/** A collect() of each metric's own could promise neither short turns nor figures of one moment. */
export async function refreshAll(table: SeriesTable, sources: MetricSources): Promise<void> {
  const tokens = [...sources.tokens()]
  const phases = [...sources.phases()]
  // Tokens and the seconds they are divided by are of one moment.
  writeTokens(table, tokens, 'output')
  writeByPlace(table, 'decode_tokens_total', tokens, ({ decoded }) => decoded)
  writeSeconds(table, phases)
  await nextTurn()
  writeByPlace(table, 'prefill_tokens_total', tokens, ({ prefilled }) => prefilled)
  writeByPlace(table, 'discarded_tokens_total', tokens, ({ discarded }) => discarded)
  await nextTurn()
  for (const type of ['input', 'cached_input', 'reasoning'] as const) {
    writeTokens(table, tokens, type)
    await nextTurn()
  }
  writeServiceCost(table, tokens, sources.tokenCosts)
  writeByHost(table, 'usage_rejected_total', tokens, ({ usageRejected }) => usageRejected)
  writeByHost(table, 'bad_frames_total', tokens, ({ badFrames }) => badFrames)
  await nextTurn()
  writeGaps(table, sources)
  writeLimitRests(table, sources.limitRests())
  await nextTurn()
  const hosts = sources.hosts()
  startAtZero(table, hosts, new Set([...tokens, ...phases].map((totals) => totals.model)))
  writeState(table, sources, hosts)
}

const tokenTypes = {
  output: 'output',
  input: 'input',
  cached_input: 'cachedInput',
  reasoning: 'reasoning',
} as const satisfies Record<string, keyof TokenTotals>

function writeTokens(table: SeriesTable, totals: readonly TokenTotals[], type: keyof typeof tokenTypes): void {
  const field = tokenTypes[type]
  const rows = totals.map((total) => {
    const { model, host, key } = total
    return [{ model, host, key, type }, total[field]] as const
  })
  table.mirror('tokens_total', rows)
}

type OfPlace = 'decode_tokens_total' | 'prefill_tokens_total' | 'discarded_tokens_total'

function writeByPlace(
  table: SeriesTable,
  name: OfPlace,
  totals: readonly TokenTotals[],
  of: (total: TokenTotals) => number,
): void {
  const rows = totals.map((total): Row<OfPlace> => [{ model: total.model, host: total.host }, of(total)])
  table.mirror(name, rows)
}

type OfHost = Extract<CounterName, 'usage_rejected_total' | 'bad_frames_total'>

function writeByHost(
  table: SeriesTable,
  name: OfHost,
  totals: readonly TokenTotals[],
  of: (total: TokenTotals) => number,
): void {
  const rows = totals.map((total): Row<OfHost> => [{ host: total.host }, of(total)])
  table.mirror(name, rows)
}

function writeSeconds(table: SeriesTable, totals: readonly PhaseTotals[]): void {
  const rows = (seconds: (total: PhaseTotals) => number) =>
    totals.map((total) => [{ model: total.model, host: total.host }, seconds(total)] as const)
  const prefill = rows((total) => total.prefillSeconds)
  const decode = rows((total) => total.decodeSeconds)
  const whole = rows((total) => total.wholeSeconds)
  const busy = rows((total) => total.busySeconds)
  table.mirror('prefill_seconds_total', prefill)
  table.mirror('decode_seconds_total', decode)
  table.mirror('whole_seconds_total', whole)
  table.mirror('host_busy_seconds_total', busy)
  const running = totals.flatMap(({ model, host, running: inPhase }) =>
    Object.entries(inPhase).map(([phase, streams]) => [{ model, host, phase }, streams] as const),
  )
  table.rewrite('host_streams', running, 'zero')
}

function writeGaps(table: SeriesTable, sources: MetricSources): void {
  const gaps = [...sources.gaps()]
  table.mirrorHistogram(
    'stream_chunk_gap_seconds',
    gaps.map(
      ({ model, host, counts, sumSeconds }) =>
        [
          { model, host },
          { counts, sum: sumSeconds },
        ] as const,
    ),
  )
  const stalls = gaps.map(({ model, host, stalls: count }) => [{ model, host }, count] as const)
  table.mirror('stream_stalls_total', stalls)
}

function writeState(table: SeriesTable, sources: MetricSources, hosts: readonly (HostState & HeldSlots)[]): void {
  writeLine(table, sources.queue())
  table.rewrite('open_streams', [[{}, sources.openStreams()]], 'zero')
  table.rewrite('client_connections', [[{}, sources.clientConnections()]], 'zero')
  table.rewrite('overload_stage', [[{}, sources.overloadStage()]], 'zero')
  table.mirror('log_dropped_total', [[{}, sources.logDropped()]])
  const otlpDropped = Object.entries(sources.otlpDropped()).map(([signal, count]) => [{ signal }, count] as const)
  table.mirror('otlp_dropped_total', otlpDropped)
  const { pendingRows, lostRows, errors } = sources.ledger()
  table.mirror('usage_rows_lost_total', [[{}, lostRows]])
  table.mirror('store_errors_total', [[{}, errors]])
  table.rewrite('ledger_pending_rows', [[{}, pendingRows]], 'zero')
  table.rewrite('build_info', [[{ version: sources.version, node: process.versions.node }, 1]], 'zero')
  writeHosts(table, hosts)
  const modelHosts = Array.from(sources.modelHosts(), ({ model, hosts: count }) => [{ model }, count] as const)
  table.rewrite('model_hosts_up', modelHosts, 'gone', 'max')
  table.mirror('metrics_series_folded_total', [[{}, table.foldedCount]])
  // Last, since it counts what the lines above made.
  table.rewrite('metric_series', [[{}, table.seriesCount]], 'zero')
}

/** A host that was taken out of the configuration leaves no series behind that would look like one that is down. */
function writeHosts(table: SeriesTable, hosts: readonly (HostState & HeldSlots)[]): void {
  const rows = (of: (host: HostState & HeldSlots) => number) =>
    hosts.map((host) => [{ host: host.name }, of(host)] as const)
  const up = rows((host) => (host.up ? 1 : 0))
  const paused = rows((host) => (host.paused ? 1 : 0))
  const inFlight = rows((host) => host.inFlight)
  const limits = rows((host) => host.limit)
  const models = rows((host) => host.models)
  const zombies = rows((host) => host.zombieSlots)
  const open = rows((host) => (host.ejected ? 1 : 0))
  table.rewrite('host_up', up, 'gone')
  table.rewrite('host_paused', paused, 'gone')
  table.rewrite('host_inflight', inFlight, 'gone')
  table.rewrite('host_concurrency_limit', limits, 'gone')
  table.rewrite('host_models', models, 'gone')
  table.rewrite('host_zombie_slots', zombies, 'gone')
  table.rewrite('host_circuit_open', open, 'gone')
}

const hostFaults = Object.keys(errorCatalogue).filter((code) => code.startsWith('upstream_'))
/** A limit falls for what was too slow or too much, and grows for room. */
const limitChanges = [
  ['up', 'room'],
  ['down', 'tpot'],
  ['down', 'ttft'],
  ['down', 'busy'],
] as const satisfies readonly (readonly [LimitDirection, LimitReason])[]

/** rate() misses the increment with which a series appears, so what can be foreseen is there before it happens. */
function startAtZero(table: SeriesTable, hosts: readonly HostState[], models: ReadonlySet<string>): void {
  for (const { name: host } of hosts) {
    for (const reason of hostFaults) table.increase('host_errors_total', { host, reason }, 0)
    for (const source of ['reported', 'counted']) table.increase('usage_source_total', { host, source }, 0)
    for (const [direction, reason] of limitChanges) {
      table.increase('host_limit_changes_total', { host, direction, reason }, 0)
    }
    table.increase('usage_rejected_total', { host }, 0)
    table.increase('bad_frames_total', { host }, 0)
  }
  for (const model of models) startLineAtZero(table, model)
  startRequestsAtZero(table, models)
}
