/** The whole gateway on one page. */
import type { Steps } from '../../base/steps.ts'
import { type Counted, quantileOf } from '../../observe/counted.ts'
import { serviceCost } from '../../observe/token-metrics.ts'
import type { QueueState } from '../../queue/events.ts'
import { overheadStages } from '../../relay/events.ts'
import type { AdminParts } from './admin-parts.ts'
import { endedBy, type Figures, objectivesBy, streamsBy, tokensBy } from './figures.ts'
import type { StatsPage } from './stats-schema.ts'

export function* statsPage({ version, clock, figures }: AdminParts, keysMax: number): Steps<StatsPage> {
  const { sources, counted, recent, startedAtMs } = figures
  const speeds = yield* recent.now(null)
  const tokens = yield* tokensBy(sources.tokens(), null)
  const requests = yield* endedBy(counted, null)
  const objectives = yield* objectivesBy(counted, null)
  // Once: what waits and who waits are then of one moment.
  const queue = yield* sources.queueInSteps()
  const keys = yield* keysOf(figures, queue, keysMax)
  const hosts = sources.hosts()
  const { pendingRows, lostRows, errors } = sources.ledger()
  return {
    version,
    node: process.versions.node,
    startedAt: new Date(startedAtMs).toISOString(),
    uptimeSeconds: rounded((clock.wallMs() - startedAtMs) / 1_000),
    metrics: counted !== null,
    hosts: { total: hosts.length, up: hosts.filter(({ up }) => up).length },
    requests: requests(''),
    tokens: tokens.at(''),
    speeds: speeds(''),
    objectives: objectives(''),
    streams: { ...streamsBy(sources.phases(), null).at(''), open: sources.openStreams() },
    clientConnections: sources.clientConnections(),
    line: lineOf(queue, counted),
    limits: counted?.by('ratelimit_decisions_total', 'decision') ?? null,
    failovers: counted?.by('failovers_total', 'result') ?? null,
    overhead: counted && overheadOf(counted),
    process: processOf(figures),
    losses: {
      logLines: sources.logDropped(),
      usageRows: lostRows,
      storeErrors: errors,
      seriesFolded: counted?.folded ?? null,
    },
    pendingUsageRows: pendingRows,
    keys,
  }
}

function lineOf({ depths, fairnessGap, bytes, paused }: QueueState, counted: Counted | null): StatsPage['line'] {
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

function* keysOf({ sources, counted }: Figures, { flows }: QueueState, keysMax: number): Steps<StatsPage['keys']> {
  const requests = counted === null ? null : yield* requestsByKey(counted)
  const flowOf = new Map(flows.map((flow) => [flow.key, flow]))
  const tokens = yield* tokensBy(sources.tokens(), 'key')
  const mostServed = Array.from(tokens.entries(), ([key, served]) => {
    return { key, served, cost: serviceCost(served, sources.tokenCosts) }
  })
    .toSorted((a, b) => b.cost - a.cost)
    .slice(0, keysMax)
  return mostServed.map(({ key, served: { input, cachedInput, output }, cost }) => ({
    key,
    requests: requests && (requests.get(key) ?? 0),
    input,
    cachedInput,
    output,
    cost,
    waiting: flowOf.get(key)?.waiting ?? 0,
    running: flowOf.get(key)?.running ?? 0,
  }))
}

function* requestsByKey(counted: Counted): Steps<ReadonlyMap<string, number>> {
  const requests = new Map<string, number>()
  for (const { labels, value } of counted.scalars('requests_total')) {
    const key = labels['key'] ?? ''
    requests.set(key, (requests.get(key) ?? 0) + value)
    yield
  }
  return requests
}

function inMs(seconds: number): number {
  return rounded(seconds * 1_000, 4)
}

function rounded(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits
}
