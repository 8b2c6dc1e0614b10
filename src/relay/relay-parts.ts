/** What the relay works with, for all requests alike. */
import type { PromptReader } from '../balancing/prompt-reader.ts'
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { ClockOverrides } from '../hosts/clocks.ts'
import type { Host } from '../hosts/host.ts'
import type { ModelCatalog } from '../hosts/model-catalog.ts'
import type { RetryBudget } from '../hosts/retry-budget.ts'
import type { RequestLedger } from '../metering/ledger-store.ts'
import type { PhaseTimes } from '../metering/phase-times.ts'
import type { CostOf } from '../metering/prices.ts'
import type { StreamGaps } from '../metering/stream-gaps.ts'
import type { TokenTallies } from '../metering/token-tallies.ts'
import type { UsageSink } from '../metering/usage-record.ts'
import type { ByteBudget } from '../queue/byte-budget.ts'
import type { Dispatcher } from '../queue/dispatcher.ts'
import type { ZombieSlots } from '../queue/zombie-slots.ts'
import type { RelayEvents } from './events.ts'
import type { LethalPrompts } from './lethal-prompts.ts'
import type { RelayOptions } from './options.ts'
import type { Tracing } from './request-trace.ts'
import type { StoredResponses } from './stored-responses.ts'

export interface RelayParts {
  readonly options: RelayOptions
  readonly clock: Clock
  readonly log: Log
  readonly userAgent: string
  readonly catalog: ModelCatalog
  readonly dispatcher: Dispatcher
  /** Makes of each prompt what its host is chosen by. */
  readonly prompts: PromptReader
  readonly zombies: ZombieSlots
  readonly retryBudget: RetryBudget
  readonly lethal: LethalPrompts
  /** Clocks that differ for a model, by the name it has at its host. */
  readonly modelClocks: Readonly<Record<string, ClockOverrides>>
  readonly budget: ByteBudget
  readonly tallies: TokenTallies
  readonly phases: PhaseTimes
  /** Null where nobody wants to know. */
  readonly gaps: StreamGaps | null
  /** Somebody wants to know how long each step of a request keeps the event loop. */
  readonly timesWork: boolean
  readonly tracing: Tracing
  readonly storedResponses: StoredResponses
  readonly events: RelayEvents
  /** Has one row of each request that was admitted. */
  readonly ledger: RequestLedger
  readonly costOf: CostOf
  /** Gets one record of each request, at its end; null where nobody wants them. */
  readonly usage: UsageSink | null
  /** Why no newcomer is taken just now, or null. */
  readonly refusal: () => GatewayError | null
  /** A request could not connect to a host, for the reason of this code. */
  readonly onConnectFailed: (host: Host, code: string) => void
  /** A host answered that it does not have a model which its list shows. */
  readonly onModelGone: (host: Host, model: string) => void
}
