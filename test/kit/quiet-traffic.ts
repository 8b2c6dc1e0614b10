/** A fleet of one host at which nothing happens, for tests of what is beside it. */
import { RecentDecisions } from '../../src/balancing/recent-decisions.ts'
import { GatewayError } from '../../src/base/errors.ts'
import type { Host } from '../../src/hosts/host.ts'
import { ModelCatalog } from '../../src/hosts/model-catalog.ts'
import type { AdminParts, Traffic } from '../../src/http/admin/admin-parts.ts'
import { RecentRequests } from '../../src/observe/recent-requests.ts'
import { ByteBudget } from '../../src/queue/byte-budget.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import { queueOptions } from '../../src/queue/options.ts'
import { balancerOf } from './balancers.ts'
import { FakeClock } from './fake-clock.ts'
import { knownHost } from './known-hosts.ts'

export function quietTraffic(): Traffic {
  const hosts = [knownHost('studio')]
  const options = queueOptions.parse({})
  const events = { waitEnded: () => {}, rejected: () => {}, estimateTold: () => {}, gaveBack: () => {} }
  return {
    dispatcher: new Dispatcher(options, { clock: new FakeClock(), balancer: balancerOf(), events }),
    hosts,
    budget: new ByteBudget(options.bytesMax, () => {}),
    forLimits: { waiting: { requests: 0, tokens: 0 }, waitingByHolder: () => new Map() },
    catalog: new ModelCatalog(hosts, {}),
    recent: new RecentRequests(0),
    decisions: new RecentDecisions(0),
    relay: {
      *live() {},
      endAt() {},
      cancel() {
        throw new GatewayError('not_found', 'There is no such request, or it has ended.')
      },
    },
  }
}

/** Of these hosts, which nobody changes. */
export function quietFleet(hosts: readonly Host[]): AdminParts['fleet'] {
  const unchanged = (): never => {
    throw new Error('this fleet is not changed')
  }
  return {
    hosts,
    leaving: [],
    sourceOf: () => 'configuration',
    like: () => undefined,
    add: unchanged,
    remove: unchanged,
  }
}
