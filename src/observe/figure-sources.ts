/** What metrics and pages read of the gateway's parts, so that the two cannot tell different stories. */
import type { LimitRest } from '../access/events.ts'
import type { LearnedSpeed } from '../balancing/events.ts'
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'
import type { HostState, ModelAtHost } from '../hosts/events.ts'
import type {
  GapTotals,
  GeneratingTotals,
  HandOverState,
  LedgerState,
  PhaseTotals,
  TokenTotals,
} from '../metering/events.ts'
import type { HeldSlots, QueueState, SharedSlotsState } from '../queue/events.ts'
import type { ReplicasState } from '../replicas/events.ts'
import type { Objectives } from './objectives.ts'
import type { Classes } from './series-table.ts'
import type { TokenCosts } from './token-metrics.ts'

/** Read by a scrape, by a page that somebody asks for, and every few seconds for the speeds of the last minutes; never for each token. */
export interface FigureSources {
  readonly clock: Pick<Clock, 'now' | 'wallMs'>
  /** Of the gateway. */
  readonly version: string
  readonly tokenCosts: TokenCosts
  readonly objectives: Objectives
  queue(): QueueState
  /** The same; a line may be long. */
  queueInSteps(): Steps<QueueState>
  hosts(): readonly (HostState & HeldSlots)[]
  /** Of all names that requests may use. */
  modelHosts(): Iterable<ModelHosts>
  /** Of all places that hosts list. */
  modelsAtHosts(): Iterable<ModelAtHost>
  /** Of places where any was learned. */
  speeds(): Iterable<LearnedSpeed>
  tokens(): Iterable<TokenTotals>
  phases(): Iterable<PhaseTotals>
  generating(): Iterable<GeneratingTotals>
  gaps(): Iterable<GapTotals>
  limitRests(): Iterable<LimitRest>
  /** How late the event loop was for its timers since this was first called, in the classes of its metric. */
  eventLoopDelays(): Classes
  openStreams(): number
  clientConnections(): number
  /** 0: not short of anything, 1: tight, 2: sheds. */
  overloadStage(): number
  /** Of the configuration: whether the last change of it was taken, and when one was; the start counts. */
  configReload(): { readonly isSuccess: boolean; readonly takenAtMs: number }
  /** Log lines that were never written. */
  logDropped(): number
  /** What an OTLP receiver did not take. */
  otlpDropped(): { readonly traces: number; readonly metrics: number }
  /** How the ledger is written. */
  ledger(): LedgerState
  /** What is shared with other gateways; null where this one stands alone. */
  readonly sharing: SharingSources | null
  /** Whether a name is configured or listed by a host; only such names become label values. */
  knownModel(name: string): boolean
}

export interface SharingSources {
  /** Name of this gateway among them. */
  readonly replica: string
  isRedisUp(): boolean
  replicas(): ReplicasState
  /** Accounts of limits of which Redis has yet to be told what was used here while it was away. */
  limitChargesWaiting(): number
  slots(): Iterable<SharedSlotsState>
  handOver(): HandOverState
  /** Since the keys here were last seen to be those of all, or since the start. */
  keysAgeMs(): number
}

export interface ModelHosts {
  readonly model: string
  /** How many may take a request for it now. */
  readonly hosts: number
  /** Of these, those that have it in memory; null where none of its hosts ever loads a model. */
  readonly resident: number | null
  /** How many load it now. */
  readonly loading: number
  /** The names of all that have it, whether they are up or not. */
  readonly listedBy: readonly string[]
}
