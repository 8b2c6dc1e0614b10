/** Turns what the rooms tell and hold into Prometheus metrics: events when they happen, live totals when a scrape asks. */

import type { AccessEvents, LimitRest } from '../access/events.ts'
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'
import type { HostState, LimitDirection, LimitReason } from '../hosts/events.ts'
import type { GapTotals, GeneratingTotals, LedgerState, PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { HeldSlots, QueueEvents, QueueState } from '../queue/events.ts'
import type { RelayEvents } from '../relay/events.ts'
import { accessEvents } from './access-metrics.ts'
import { Counted } from './counted.ts'
import { type Exposition, type ExpositionFormat, Expositions } from './exposition.ts'
import { lineEvents } from './line-metrics.ts'
import { LiveMetrics } from './live-metrics.ts'
import type { Objectives } from './objectives.ts'
import { watchProcess } from './process-metrics.ts'
import { recordRequest } from './request-metrics.ts'
import type { Family } from './series.ts'
import { SeriesTable } from './series-table.ts'
import type { TokenCosts } from './token-metrics.ts'

/** What a scrape reads; nothing here is called at any other time, but for `knownModel`. */
export interface MetricSources {
  readonly clock: Pick<Clock, 'now' | 'wallMs'>
  /** Of the gateway. */
  readonly version: string
  readonly tokenCosts: TokenCosts
  readonly objectives: Objectives
  queue(): QueueState
  /** The same; a line may be long. */
  queueInSteps(): Steps<QueueState>
  hosts(): readonly (HostState & HeldSlots)[]
  /** Names that requests may use, and how many hosts may take one for it now. */
  modelHosts(): Iterable<{ readonly model: string; readonly hosts: number }>
  tokens(): Iterable<TokenTotals>
  phases(): Iterable<PhaseTotals>
  generating(): Iterable<GeneratingTotals>
  gaps(): Iterable<GapTotals>
  limitRests(): Iterable<LimitRest>
  openStreams(): number
  clientConnections(): number
  /** 0: not short of anything, 1: tight, 2: sheds. */
  overloadStage(): number
  /** Log lines that were never written. */
  logDropped(): number
  /** What an OTLP receiver did not take. */
  otlpDropped(): { readonly traces: number; readonly metrics: number }
  /** How the ledger is written. */
  ledger(): LedgerState
  /** Whether a name is configured or listed by a host; only such names become label values. */
  knownModel(name: string): boolean
}

export interface MetricEvents extends RelayEvents, QueueEvents, AccessEvents {
  /** A host has another number of slots. */
  limitChanged(host: string, direction: LimitDirection, reason: LimitReason): void
}

export interface Metrics extends MetricEvents {
  /** What events have counted so far. */
  readonly counted: Counted
  render(format?: ExpositionFormat): Promise<Exposition>
  /** All metrics, brought up to date; they go on counting. */
  families(): Promise<readonly Family[]>
}

/** As many as metrics.seriesMax is by default. */
const seriesMaxDefault = 20_000

export function createMetrics(sources: MetricSources, seriesMax = seriesMaxDefault): Metrics {
  const { clock } = sources
  const table = new SeriesTable({ clock, seriesMax, knownModel: (name) => sources.knownModel(name) })
  const live = new LiveMetrics(table, sources)
  watchProcess()
  const expositions = new Expositions(table, clock, () => live.write())
  return {
    counted: new Counted(table),
    requestEnded: (outcome) => recordRequest(table, outcome, sources.objectives),
    firstToken: () => {},
    attemptBegan: (host) => table.increase('host_attempts_total', { host }),
    attemptFailed: (host, reason) => table.increase('host_errors_total', { host, reason }),
    failedOver: (model, phase, result) => table.increase('failovers_total', { model, phase, result }),
    worked: (stage, ms) => table.observe('gateway_overhead_seconds', { stage }, ms / 1000),
    heldUp: (ms) => table.increase('stream_backpressure_seconds_total', {}, ms / 1000),
    ...lineEvents(table),
    ...accessEvents(table),
    limitChanged: (host, direction, reason) => table.increase('host_limit_changes_total', { host, direction, reason }),
    render: (format = 'text') => expositions.render(format),
    families: () => expositions.families(),
  }
}

/** Where metrics are off: nothing is counted. */
export const noMetrics: MetricEvents = {
  requestEnded: () => {},
  firstToken: () => {},
  attemptBegan: () => {},
  attemptFailed: () => {},
  failedOver: () => {},
  worked: () => {},
  heldUp: () => {},
  waitEnded: () => {},
  rejected: () => {},
  estimateTold: () => {},
  gaveBack: () => {},
  limitDecided: () => {},
  limitWaitEnded: () => {},
  reservationSettled: () => {},
  limitChanged: () => {},
}
