/** Hosts and models: what they are, what they do now, what came of it. Both may be many, so that pages are made in steps. */
import type { Steps } from '../../base/steps.ts'
import type { HostState } from '../../hosts/events.ts'
import type { Host } from '../../hosts/host.ts'
import { reportOf } from '../../hosts/host-report.ts'
import { isAble } from '../../hosts/model-catalog.ts'
import type { HeldSlots, QueueDepth } from '../../queue/events.ts'
import type { AdminParts } from './admin-parts.ts'
import { endedBy, objectivesBy, streamsBy, tokensBy } from './figures.ts'
import type { HostsPage, ModelsPage } from './fleet-schema.ts'
import { jsonInSteps } from './json-steps.ts'

type HostPage = HostsPage['hosts'][number]
type ModelPage = ModelsPage['models'][number]

export function* hostsPage({ fleet, figures }: AdminParts): Steps<readonly Buffer[]> {
  const { sources, counted, recent } = figures
  const speeds = yield* recent.now('host')
  const tokens = yield* tokensBy(sources.tokens(), 'host')
  const streams = streamsBy(sources.phases(), 'host')
  // Of two with one name that is the member, and not the one that goes.
  const hosts = new Map([...fleet.leaving, ...fleet.hosts].map((host) => [host.name, host]))
  const pageOf = (state: HostState & HeldSlots): HostPage[] => {
    const { name, up, paused, ejected, slots, limit, inFlight, zombieSlots, telemetry } = state
    const host = hosts.get(name)
    if (host === undefined) return []
    const { kind, url, problem, models } = reportOf(host)
    return [
      {
        name,
        kind,
        url,
        source: fleet.sourceOf(host),
        up,
        problem,
        paused,
        pausedFor: host.pausedFor,
        tier: host.tier,
        weight: host.weight,
        draining: host.draining,
        ejected,
        slots,
        limit,
        inFlight,
        zombieSlots,
        telemetry: telemetry && { ...telemetry, ageMs: Math.round(telemetry.ageMs) },
        memory: memoryOf(host, figures.sources.clock.now()),
        streams: streams.at(name),
        models: [...models],
        errors: counted?.by('host_errors_total', 'reason', { host: name }) ?? null,
        tokens: tokens.at(name),
        speeds: speeds(name),
      },
    ]
  }
  return yield* jsonInSteps({}, { hosts: sources.hosts().values().flatMap(pageOf) })
}

function memoryOf({ memory }: Host, nowMs: number): HostPage['memory'] {
  if (memory.loadsBy === null) return null
  const { loading, residents, room, loads, times } = memory
  const expectedMs = loading === null ? null : times.expectedMs(loading.model)
  return {
    modelsMax: room.modelsMax,
    loadsLastHour: loads.count,
    resident: residents.map((model) => ({ model, running: memory.usesOf(model) })),
    loading: loading && {
      model: loading.model,
      forMs: Math.round(nowMs - loading.sinceMs),
      expectedMs: expectedMs === null ? null : Math.round(expectedMs),
    },
  }
}

export function* modelsPage(parts: AdminParts): Steps<readonly Buffer[]> {
  const { sources, counted, recent } = parts.figures
  const speeds = yield* recent.now('model')
  const tokens = yield* tokensBy(sources.tokens(), 'model')
  const requests = yield* endedBy(counted, 'model')
  const objectives = yield* objectivesBy(counted, 'model')
  const { depths } = yield* sources.queueInSteps()
  const waiting = Map.groupBy(depths, ({ model }) => model)
  const pageOf = ({ model, isAlias, places }: Listed): ModelPage => ({
    model,
    isAlias,
    places,
    waiting: (waiting.get(model) ?? []).map(waitingOf),
    requests: requests(model),
    objectives: objectives(model),
    tokens: tokens.at(model),
    speeds: speeds(model),
  })
  const served = Array.from(tokens.entries(), ([model]) => model)
  const listed = yield* listedModels(parts.traffic, served)
  return yield* jsonInSteps({}, { models: listed.values().map(pageOf) })
}

type Listed = Pick<ModelPage, 'model' | 'isAlias' | 'places'>

/** In the order of their names, with those that were served and are listed no more. */
function* listedModels({ catalog }: AdminParts['traffic'], served: readonly string[]): Steps<readonly Listed[]> {
  const listed = new Map<string, Listed>()
  for (const { model, isAlias, places } of catalog.placesByName()) {
    const hosts = places.map(({ host, model: id }) => ({
      host: host.name,
      model: id,
      able: isAble(host),
      contextTokens: host.context(id).contextTokens,
    }))
    listed.set(model, { model, isAlias, places: hosts })
    yield
  }
  for (const model of served) if (!listed.has(model)) listed.set(model, { model, isAlias: false, places: [] })
  return Array.from(listed.values()).toSorted((a, b) => (a.model < b.model ? -1 : 1))
}

function waitingOf({ class: ofClass, waiting, tokens, oldestMs }: QueueDepth): ModelPage['waiting'][number] {
  return { class: ofClass, waiting, tokens, oldestMs: Math.round(oldestMs) }
}
