/** The whole gateway on one page. */
import { type Counted, quantileOf } from '../../observe/counted.ts'
import type { MetricSources } from '../../observe/metrics.ts'
import { serviceCost } from '../../observe/token-metrics.ts'
import { overheadStages } from '../../relay/events.ts'
import type { AdminParts } from './admin-parts.ts'
import { endedOf, type Figures, noTokens, objectivesOf, tokensBy } from './figures.ts'
import type { StatsPage } from './stats-schema.ts'

export function statsPage({ version, clock, figures }: AdminParts, keysMax: number): StatsPage {
  const { sources, counted, recent, startedAtMs } = figures
  const hosts = sources.hosts()
  const { pendingRows, lostRows, errors } = sources.ledger()
  return {
    version,
    node: process.versions.node,
    startedAt: new Date(startedAtMs).toISOString(),
    uptimeSeconds: rounded((clock.wallMs() - startedAtMs) / 1_000),
    metrics: counted !== null,
    hosts: { total: hosts.length, up: hosts.filter(({ up }) => up).length },
    requests: endedOf(counted),
    tokens: tokensBy(sources.tokens(), null).get('') ?? noTokens(),
    speeds: recent.now()(() => true),
    objectives: objectivesOf(counted),
    streams: { ...runningOf(sources), open: sources.openStreams() },
    clientConnections: sources.clientConnections(),
    line: lineOf(figures),
    limits: counted?.by('ratelimit_decisions_total', 'decision') ?? null,
    failovers: counted?.by('failovers_total', 'result') ?? null,
    overhead: counted && overheadOf(counted),
    process: processOf(figures),
    losses: { logLines: sources.logDropped(), usageRows: lostRows, storeErrors: errors },
    pendingUsageRows: pendingRows,
    keys: keysOf(figures, keysMax),
  }
}

function runningOf(sources: MetricSources) {
  const sum = { prefill: 0, decode: 0, whole: 0 }
  for (const { running } of sources.phases()) {
    sum.prefill += running.prefill
    sum.decode += running.decode
    sum.whole += running.whole
  }
  return sum
}

function lineOf({ sources, counted }: Figures): StatsPage['line'] {
  const { depths, fairnessGap, bytes, paused } = sources.queue()
  return {
    paused,
    waiting: depths.reduce((sum, { waiting }) => sum + waiting, 0),
    tokens: depths.reduce((sum, { tokens }) => sum + tokens, 0),
    oldestMs: Math.round(depths.reduce((oldest, { oldestMs }) => Math.max(oldest, oldestMs), 0)),
    bytes,
    fairnessGap,
    rejections: counted?.by('queue_rejections_total', 'reason') ?? null,
    givenBack: counted?.sum('bulk_given_back_total') ?? null,
  }
}

function overheadOf(counted: Counted): NonNullable<StatsPage['overhead']> {
  const stages = overheadStages.map((stage) => {
    const { counts, edges, count, sum } = counted.classes('gateway_overhead_seconds', { stage })
    const p99 = quantileOf(0.99, counts, edges) ?? 0
    return [stage, { count, meanMs: inMs(count === 0 ? 0 : sum / count), p99Ms: inMs(p99) }] as const
  })
  return Object.fromEntries(stages)
}

const overloads = ['none', 'tight', 'shed'] as const

function processOf({ sources, lagMs }: Figures): StatsPage['process'] {
  const { rss, heapUsed } = process.memoryUsage()
  const overload = overloads[sources.overloadStage()] ?? 'shed'
  return { eventLoopLagMs: rounded(lagMs()), rssBytes: rss, heapUsedBytes: heapUsed, overload }
}

function keysOf({ sources, counted }: Figures, keysMax: number): StatsPage['keys'] {
  const { tokenCosts } = sources
  const requests = counted?.by('requests_total', 'key') ?? null
  const flows = new Map(sources.queue().flows.map((flow) => [flow.key, flow]))
  return Array.from(tokensBy(sources.tokens(), 'key'), ([key, { input, cachedInput, output }]) => ({
    key,
    requests: requests && (requests[key] ?? 0),
    input,
    cachedInput,
    output,
    cost: serviceCost({ input, cachedInput, output }, tokenCosts),
    waiting: flows.get(key)?.waiting ?? 0,
    running: flows.get(key)?.running ?? 0,
  }))
    .toSorted((a, b) => b.cost - a.cost)
    .slice(0, keysMax)
}

function inMs(seconds: number): number {
  return rounded(seconds * 1_000, 4)
}

function rounded(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
