/** Hosts and models: what they are, what they do now, what came of it. */

import { reportOf } from '../../hosts/host-report.ts'
import { isAble } from '../../hosts/model-catalog.ts'
import type { AdminParts } from './admin-parts.ts'
import { endedOf, noTokens, objectivesOf, tokensBy } from './figures.ts'
import type { HostsPage, ModelsPage } from './fleet-schema.ts'

export function hostsPage({ traffic, figures }: AdminParts): HostsPage {
  const { sources, counted, recent } = figures
  const states = new Map(sources.hosts().map((state) => [state.name, state]))
  const tokens = tokensBy(sources.tokens(), 'host')
  const running = runningByHost(figures)
  const speeds = recent.now()
  return {
    hosts: traffic.hosts.map((host) => {
      const { name, kind, url, problem, models } = reportOf(host)
      return {
        name,
        kind,
        url,
        up: host.up,
        problem,
        paused: host.paused,
        ejected: host.health.ejected,
        slots: host.slots,
        limit: host.health.limit,
        inFlight: host.leases.size,
        zombieSlots: states.get(name)?.zombieSlots ?? 0,
        streams: running.get(name) ?? { prefill: 0, decode: 0, whole: 0 },
        models: [...models],
        errors: counted?.by('host_errors_total', 'reason', { host: name }) ?? null,
        tokens: tokens.get(name) ?? noTokens(),
        speeds: speeds((place) => place.host === name),
      }
    }),
  }
}

export function modelsPage({ traffic, figures }: AdminParts): ModelsPage {
  const { sources, counted, recent } = figures
  const tokens = tokensBy(sources.tokens(), 'model')
  const { depths } = sources.queue()
  const speeds = recent.now()
  const page = (name: string, isAlias: boolean, places: ModelsPage['models'][number]['places']) => ({
    model: name,
    isAlias,
    places,
    waiting: depths
      .filter(({ model }) => model === name)
      .map(({ class: ofClass, waiting, tokens: ofThese, oldestMs }) => {
        return { class: ofClass, waiting, tokens: ofThese, oldestMs: Math.round(oldestMs) }
      }),
    requests: endedOf(counted, { model: name }),
    objectives: objectivesOf(counted, { model: name }),
    tokens: tokens.get(name) ?? noTokens(),
    speeds: speeds(({ model }) => model === name),
  })
  const pages = Array.from(traffic.catalog.placesByName(), ({ model, isAlias, places }) =>
    page(
      model,
      isAlias,
      places.map((place) => ({ host: place.host.name, model: place.model, able: isAble(place.host) })),
    ),
  )
  // Those that were served and are listed no more.
  const listed = new Set(pages.map(({ model }) => model))
  const gone = [...tokens.keys()].filter((model) => !listed.has(model)).map((model) => page(model, false, []))
  return { models: [...pages, ...gone].toSorted((a, b) => (a.model < b.model ? -1 : 1)) }
}

function runningByHost({ sources }: AdminParts['figures']) {
  const byHost = new Map<string, { prefill: number; decode: number; whole: number }>()
  for (const { host, running } of sources.phases()) {
    const sum = byHost.get(host) ?? { prefill: 0, decode: 0, whole: 0 }
    sum.prefill += running.prefill
    sum.decode += running.decode
    sum.whole += running.whole
    byHost.set(host, sum)
  }
  return byHost
}
