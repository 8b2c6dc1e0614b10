/** What metrics and pages read of a gateway's parts, in one place, so that they cannot tell different stories. */
import type { Access } from './access/access.ts'
import type { Balancing } from './balancing/balancing.ts'
import type { Clock } from './base/clock.ts'
import type { Overload } from './base/overload.ts'
import { allAtOnce, type Steps } from './base/steps.ts'
import type { ReloadState } from './config/reload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import type { ModelAtHost } from './hosts/events.ts'
import type { Host } from './hosts/host.ts'
import { isAble, type ModelCatalog } from './hosts/model-catalog.ts'
import type { Ledger } from './metering/ledger.ts'
import type { PhaseTimes } from './metering/phase-times.ts'
import type { StreamGaps } from './metering/stream-gaps.ts'
import type { TokenTallies } from './metering/token-tallies.ts'
import { eventLoopDelays } from './observe/event-loop-delay.ts'
import type { FigureSources, SharingSources } from './observe/figure-sources.ts'
import { tokenCosts } from './queue/bill.ts'
import type { ByteBudget } from './queue/byte-budget.ts'
import type { Dispatcher } from './queue/dispatcher.ts'
import type { QueueState } from './queue/events.ts'
import { queueStateInSteps } from './queue/queue-state.ts'
import type { ZombieSlots } from './queue/zombie-slots.ts'
import type { Relay } from './relay/relay.ts'

/** Functions, since the parts are made one after the other and are only asked once all are there. */
export interface FigureParts {
  readonly version: string
  readonly live: { readonly config: Pick<ResolvedConfig, 'slo'>; readonly state: ReloadState }
  readonly clock: Clock
  readonly hosts: readonly Host[]
  /** Those that have left it and go on with what they have. */
  readonly leavingHosts: () => Iterable<Host>
  readonly catalog: ModelCatalog
  readonly tallies: TokenTallies
  readonly phases: PhaseTimes
  readonly gaps: StreamGaps
  readonly budget: ByteBudget
  readonly overload: Overload
  readonly balancing: () => Pick<Balancing, 'speeds'>
  readonly dispatcher: () => Dispatcher
  readonly zombies: () => ZombieSlots
  readonly ledger: () => Ledger
  readonly access: () => Access
  readonly relay: () => Relay
  readonly clientConnections: () => number
  /** Log lines that could not be written so far. */
  readonly logDropped: () => number
  readonly otlpDropped: FigureSources['otlpDropped']
  /** Null where it stands alone. */
  readonly sharing: Omit<SharingSources, 'slots'> | null
}

/** Without those whose name another has taken: two with one name cannot be told apart. */
function leavingOf({ hosts, leavingHosts }: FigureParts): readonly Host[] {
  return [...leavingHosts()].filter(({ name }) => !hosts.some((host) => host.name === name))
}

function modelsAt(host: Host): ModelAtHost[] {
  const names = new Set([...(host.models?.keys() ?? []), ...host.configuredModels])
  return Array.from(names, (model) => ({
    host: host.name,
    model,
    residency: host.memory.stateOf(model),
    contextTokensMax: host.context(model).contextTokens,
  }))
}

const stages = { none: 0, tight: 1, shed: 2 } as const

export function figuresOf(parts: FigureParts): FigureSources {
  const { version, live, clock, hosts, catalog, tallies, phases, gaps, budget, overload, sharing } = parts
  function* queueInSteps(): Steps<QueueState> {
    const dispatcher = parts.dispatcher()
    const leads = yield* dispatcher.leadsInSteps()
    const line = { waiting: dispatcher.waiting(), flows: dispatcher.flows(), leads }
    return yield* queueStateInSteps(line, { nowMs: clock.now(), bytes: budget.held, paused: dispatcher.paused })
  }
  return {
    clock,
    version,
    tokenCosts,
    get objectives() {
      return live.config.slo
    },
    queue: () => allAtOnce(queueInSteps()),
    queueInSteps,
    hosts: () =>
      [...hosts, ...leavingOf(parts)].map((host) => ({ ...host.state(), zombieSlots: parts.zombies().count(host) })),
    *modelHosts() {
      for (const { model, places } of catalog.placesByName()) {
        const able = places.filter(({ host }) => isAble(host))
        const loads = places.some(({ host }) => host.memory.loadsBy !== null)
        const resident = loads ? able.filter(({ host, model: there }) => host.memory.isResident(there)).length : null
        const loading = places.filter(({ host, model: there }) => host.memory.loading?.model === there).length
        const listedBy = places.map(({ host }) => host.name)
        yield { model, hosts: able.length, resident, loading, listedBy }
      }
    },
    modelsAtHosts: () => hosts.flatMap(modelsAt),
    *speeds() {
      for (const { host, model, speed } of parts.balancing().speeds.all()) yield { host: host.name, model, ...speed }
    },
    tokens: () => tallies,
    phases: () => phases.totals(),
    generating: () => phases.generating(),
    gaps: () => gaps,
    limitRests: () => parts.access().limitRests(),
    eventLoopDelays,
    openStreams: () => parts.relay().openStreams,
    clientConnections: parts.clientConnections,
    overloadStage: () => stages[overload.stage],
    configReload: () => live.state,
    logDropped: parts.logDropped,
    otlpDropped: parts.otlpDropped,
    sharing: sharing === null ? null : { ...sharing, slots: () => parts.dispatcher().sharedSlots() ?? [] },
    ledger: () => parts.ledger().state(),
    knownModel: (name) => catalog.knows(name),
  }
}
