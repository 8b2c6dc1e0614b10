/** What metrics and pages read of the gateway's parts, so that the two cannot tell different stories. */
import type { LimitRest } from '../access/events.ts'
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'
import type { HostState } from '../hosts/events.ts'
import type { GapTotals, GeneratingTotals, LedgerState, PhaseTotals, TokenTotals } from '../metering/events.ts'
import type { HeldSlots, QueueState } from '../queue/events.ts'
import type { Objectives } from './objectives.ts'
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
