/** The relay of a gateway, made of its parts; settings are read anew for each request, as they may be others by then. */
import type { Overload } from './base/overload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import type { Prober } from './hosts/prober.ts'
import { RetryBudget } from './hosts/retry-budget.ts'
import type { Ledger } from './metering/ledger.ts'
import type { CostOf } from './metering/prices.ts'
import type { UsageSink } from './metering/usage-record.ts'
import { accessLog } from './observe/access-log.ts'
import { tellDecisions } from './observe/decisions-came.ts'
import type { MetricEvents, Metrics } from './observe/metrics.ts'
import type { Otlp } from './observe/otlp/otlp.ts'
import type { RecentRequests } from './observe/recent-requests.ts'
import { withListeners } from './observe/request-listeners.ts'
import { LethalPrompts } from './relay/lethal-prompts.ts'
import { Relay } from './relay/relay.ts'
import type { RelayParts } from './relay/relay-parts.ts'
import { makeTracing, passedOn } from './relay/request-trace.ts'
import { StoredResponses } from './relay/stored-responses.ts'

type Given =
  | 'clock'
  | 'log'
  | 'userAgent'
  | 'catalog'
  | 'dispatcher'
  | 'prompts'
  | 'zombies'
  | 'budget'
  | 'tallies'
  | 'phases'

export interface RelayedParts extends Pick<RelayParts, Given> {
  readonly live: { readonly config: ResolvedConfig; readonly costOf: CostOf }
  readonly gaps: NonNullable<RelayParts['gaps']>
  /** Null where they are off. */
  readonly metrics: Metrics | null
  readonly events: MetricEvents
  readonly recent: RecentRequests
  readonly otlp: Otlp | null
  readonly ledger: Ledger
  readonly overload: Overload
  readonly prober: Prober
  readonly usage: UsageSink | undefined
}

export function relayOf(parts: RelayedParts): Relay {
  const { live, clock, log, dispatcher, metrics, recent, otlp, ledger, overload, prober } = parts
  const { relay, otlp: tracing } = live.config
  return new Relay({
    get options() {
      return live.config.relay
    },
    get modelClocks() {
      return live.config.models.clocks
    },
    clock,
    log,
    userAgent: parts.userAgent,
    catalog: parts.catalog,
    dispatcher,
    prompts: parts.prompts,
    zombies: parts.zombies,
    retryBudget: new RetryBudget(clock),
    lethal: new LethalPrompts(clock),
    budget: parts.budget,
    tallies: parts.tallies,
    phases: parts.phases,
    tracing: otlp !== null && tracing.traces ? makeTracing({ ...tracing, chance: Math.random }) : passedOn,
    storedResponses: new StoredResponses(relay.storedResponsesMax),
    gaps: metrics === null ? null : parts.gaps,
    timesWork: metrics !== null,
    events: withListeners(parts.events, [
      accessLog(log),
      tellDecisions,
      (outcome) => recent.add(outcome),
      (outcome) => otlp?.requestEnded(outcome),
    ]),
    ledger,
    costOf: live.costOf,
    usage: parts.usage ?? null,
    refusal: () => overload.refusal() ?? ledger.refusal(),
    onModelGone: (host, model) => {
      host.modelGone(model)
      dispatcher.hostsChanged()
      void prober.probe(host)
    },
    onConnectFailed: (host, code) => prober.connectFailed(host, code),
  })
}
