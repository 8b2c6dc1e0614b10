/** Turns what the rooms tell and hold into Prometheus metrics: events when they happen, live totals when a scrape asks. */

import type { AccessEvents } from '../access/events.ts'
import type { BalancingEvents } from '../balancing/events.ts'
import type { LimitDirection, LimitReason, LoadEvents } from '../hosts/events.ts'
import type { QueueEvents } from '../queue/events.ts'
import type { RelayEvents } from '../relay/events.ts'
import { accessEvents } from './access-metrics.ts'
import { Counted } from './counted.ts'
import { type Exposition, type ExpositionFormat, Expositions } from './exposition.ts'
import type { FigureSources } from './figure-sources.ts'
import { lineEvents } from './line-metrics.ts'
import { LiveMetrics } from './live-metrics.ts'
import { watchProcess } from './process-metrics.ts'
import { recordFirstToken, recordRequest } from './request-metrics.ts'
import { balancingEvents, loadEvents } from './routing-metrics.ts'
import type { Family } from './series.ts'
import { seriesMaxDefault } from './series-max.ts'
import { SeriesTable } from './series-table.ts'
import { noSharing, type SharingEvents, sharingEvents } from './sharing-metrics.ts'

export interface MetricEvents
  extends RelayEvents,
    QueueEvents,
    AccessEvents,
    BalancingEvents,
    LoadEvents,
    SharingEvents {
  /** A host has another number of slots. */
  limitChanged(host: string, direction: LimitDirection, reason: LimitReason): void
}

export interface Metrics extends MetricEvents {
  /** What events have counted so far. */
  readonly counted: Counted
  /** Once a start is over: from here on, or from the first scrape, collections of garbage are counted. */
  begin(): void
  render(format?: ExpositionFormat): Promise<Exposition>
  /** All metrics, brought up to date; they go on counting. */
  families(): Promise<readonly Family[]>
}

export function createMetrics(sources: FigureSources, seriesMax = seriesMaxDefault): Metrics {
  const { clock, sharing } = sources
  const replica = sharing?.replica ?? null
  const table = new SeriesTable({ clock, seriesMax, replica, knownModel: (name) => sources.knownModel(name) })
  const live = new LiveMetrics(table, sources)
  sources.eventLoopDelays()
  const expositions = new Expositions(table, { clock, replica, refresh: () => live.write() })
  return {
    counted: new Counted(table),
    requestEnded: (outcome) => recordRequest(table, outcome, sources.objectives),
    firstToken: (first) => recordFirstToken(table, first, sources.objectives),
    attemptBegan: (host) => table.increase('host_attempts_total', { host }),
    attemptFailed: (host, reason) => table.increase('host_errors_total', { host, reason }),
    failedOver: (model, phase, result) => table.increase('failovers_total', { model, phase, result }),
    worked: (stage, ms) => table.observe('gateway_overhead_seconds', { stage }, ms / 1000),
    heldUp: (ms) => table.increase('stream_backpressure_seconds_total', {}, ms / 1000),
    ...lineEvents(table),
    ...accessEvents(table),
    ...balancingEvents(table),
    ...loadEvents(table),
    ...(sharing === null ? noSharing : sharingEvents(table)),
    limitChanged: (host, direction, reason) => table.increase('host_limit_changes_total', { host, direction, reason }),
    // A scrape tells what went wrong.
    begin: () => void watchProcess().catch(() => {}),
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
  decided: () => {},
  holdEnded: () => {},
  loadBegan: () => {},
  loadEnded: () => {},
  evicted: () => {},
  ...noSharing,
}
