/** Turns what the rooms tell and hold into Prometheus metrics: events when they happen, live totals when a scrape asks. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { collectDefaultMetrics, Registry } from 'prom-client'
import { errorCatalogue } from '../base/errors.ts'
import type { HostState, LimitDirection, LimitReason } from '../hosts/events.ts'
import type { LedgerState, PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { HeldSlots, QueueEvents, QueueState } from '../queue/events.ts'
import { failoverPhases, type RelayEvents } from '../relay/events.ts'
import type { Outcome } from '../relay/outcome.ts'
import { lineEvents, startLineAtZero, type TokenCosts, writeLine, writeServiceCost } from './line-metrics.ts'
import { otherLabel, SeriesTable } from './series-table.ts'

/** What a scrape reads; nothing here is called at any other time, but for `knownModel`. */
export interface MetricSources {
  /** Of the gateway. */
  readonly version: string
  readonly tokenCosts: TokenCosts
  queue(): QueueState
  hosts(): readonly (HostState & HeldSlots)[]
  tokens(): Iterable<TokenTotals>
  phases(): Iterable<PhaseTotals>
  openStreams(): number
  /** Log lines that were never written. */
  logDropped(): number
  /** How the ledger is written. */
  ledger(): LedgerState
  /** Whether a name is configured or listed by a host; only such names become label values. */
  knownModel(name: string): boolean
}

export interface Metrics extends RelayEvents, QueueEvents {
  /** A host has another number of slots. */
  limitChanged(host: string, direction: LimitDirection, reason: LimitReason): void
  render(): Promise<Exposition>
}

interface Exposition {
  readonly contentType: string
  readonly body: string
}

/** More than any fleet of this size of gateway needs; what an unlucky one would cost Prometheus stays bounded. */
const seriesMaxDefault = 20_000

/** Every figure of nodejs_eventloop_lag_* contains this period, and the dashboard takes it off again. */
const eventLoopSampleMs = 10

export function createMetrics(sources: MetricSources, seriesMax = seriesMaxDefault): Metrics {
  const table = new SeriesTable({ seriesMax, knownModel: (name) => sources.knownModel(name) })
  // Their names are those of every Node program and carry no prefix of ours.
  const processRegistry = new Registry()
  collectDefaultMetrics({ register: processRegistry, eventLoopMonitoringPrecision: eventLoopSampleMs })
  let rendering: Promise<Exposition> | null = null

  async function render(): Promise<Exposition> {
    await refresh(table, sources)
    const body = `${await table.text()}\n${await processRegistry.metrics()}`
    return { contentType: Registry.PROMETHEUS_CONTENT_TYPE, body }
  }

  return {
    requestEnded: (outcome) => recordRequest(table, outcome),
    attemptFailed: (host, reason) => table.increase('host_errors_total', { host, reason }),
    failedOver: (model, phase, result) => table.increase('failovers_total', { model, phase, result }),
    ...lineEvents(table),
    limitChanged: (host, direction, reason) => table.increase('host_limit_changes_total', { host, direction, reason }),
    /** Scrapes that come while one is being answered get the same answer: twenty at once cost as much as one. */
    render() {
      rendering ??= render().finally(() => {
        rendering = null
      })
      return rendering
    },
  }
}

function recordRequest(table: SeriesTable, outcome: Outcome): void {
  const model = outcome.model ?? otherLabel
  const { endpoint, key, host, status, end } = outcome
  table.increase('requests_total', { endpoint, model, key, status: String(status), end })
  if (host === null) return
  const at = { model, host }
  if (end === '--' && status < 400) table.observe('request_duration_seconds', at, outcome.durationMs / 1000)
  if (outcome.ttftMs !== null) table.observe('time_to_first_token_seconds', at, outcome.ttftMs / 1000)
  if (outcome.timePerOutputTokenMs !== null) {
    table.observe('time_per_output_token_seconds', at, outcome.timePerOutputTokenMs / 1000)
  }
  if (outcome.usageSource !== 'none') table.increase('usage_source_total', { host, source: outcome.usageSource })
}

/** Reads every live number, in short turns of the event loop; a collect() of each metric's own could promise neither. */
async function refresh(table: SeriesTable, sources: MetricSources): Promise<void> {
  const tokens = [...sources.tokens()]
  const phases = [...sources.phases()]
  // Output tokens and the seconds they are divided by are of one moment.
  writeTokens(table, tokens, 'output')
  writeSeconds(table, phases)
  await nextTurn()
  for (const type of ['input', 'cached_input', 'reasoning'] as const) {
    writeTokens(table, tokens, type)
    await nextTurn()
  }
  writeServiceCost(table, tokens, sources.tokenCosts)
  table.mirror(
    'usage_rejected_total',
    tokens.map(({ host, usageRejected }) => [{ host }, usageRejected] as const),
  )
  table.mirror(
    'bad_frames_total',
    tokens.map(({ host, badFrames }) => [{ host }, badFrames] as const),
  )
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

function writeSeconds(table: SeriesTable, totals: readonly PhaseTotals[]): void {
  const rows = (seconds: (total: PhaseTotals) => number) =>
    totals.map((total) => [{ model: total.model, host: total.host }, seconds(total)] as const)
  const prefill = rows((total) => total.prefillSeconds)
  const decode = rows((total) => total.decodeSeconds)
  const busy = rows((total) => total.busySeconds)
  table.mirror('prefill_seconds_total', prefill)
  table.mirror('decode_seconds_total', decode)
  table.mirror('host_busy_seconds_total', busy)
}

function writeState(table: SeriesTable, sources: MetricSources, hosts: readonly (HostState & HeldSlots)[]): void {
  writeLine(table, sources.queue())
  table.rewrite('open_streams', [[{}, sources.openStreams()]], 'zero')
  table.mirror('log_dropped_total', [[{}, sources.logDropped()]])
  const { pendingRows, lostRows, errors } = sources.ledger()
  table.mirror('usage_rows_lost_total', [[{}, lostRows]])
  table.mirror('store_errors_total', [[{}, errors]])
  table.rewrite('ledger_pending_rows', [[{}, pendingRows]], 'zero')
  table.rewrite('build_info', [[{ version: sources.version, node: process.versions.node }, 1]], 'zero')
  writeHosts(table, hosts)
  // Last, since it counts what the lines above made.
  table.rewrite('metric_series', [[{}, table.seriesCount]], 'zero')
}

/** A host that was taken out of the configuration leaves no series behind that would look like one that is down. */
function writeHosts(table: SeriesTable, hosts: readonly (HostState & HeldSlots)[]): void {
  const rows = (of: (host: HostState & HeldSlots) => number) =>
    hosts.map((host) => [{ host: host.name }, of(host)] as const)
  const up = rows((host) => (host.up ? 1 : 0))
  const inFlight = rows((host) => host.inFlight)
  const limits = rows((host) => host.limit)
  const models = rows((host) => host.models)
  const zombies = rows((host) => host.zombieSlots)
  const open = rows((host) => (host.ejected ? 1 : 0))
  table.rewrite('host_up', up, 'gone')
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
  for (const model of models) {
    startLineAtZero(table, model)
    for (const phase of failoverPhases) {
      for (const result of ['ok', 'failed']) table.increase('failovers_total', { model, phase, result }, 0)
    }
  }
}
