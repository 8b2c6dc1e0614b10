/** Who waits for what no host has any more, with hosts that leave and come as the test says. */
import { expect, test } from 'vitest'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

/** All slots are taken, so that everybody waits. */
function given() {
  const clock = new FakeClock()
  const hosts: Host[] = [
    full(knownHost('a', { lists: ['m'], slots: 1 })),
    full(knownHost('b', { lists: ['n'], slots: 1 })),
  ]
  const catalog = new ModelCatalog(hosts, { fast: 'n' })
  let isOneUnknown = false
  const rejected: string[] = []
  const dispatcher = new Dispatcher(queueOptions.parse({}), {
    clock,
    balancer: balancerOf(),
    events: {
      waitEnded: () => {},
      rejected: (model, why) => void rejected.push(`${model} ${why}`),
      estimateTold: () => {},
      gaveBack: () => {},
    },
    isOneUnknown: () => isOneUnknown,
  })
  const ended: string[] = []
  const ask = (model: string, excluded: ReadonlySet<Host> = new Set()): void => {
    dispatcher.ask({
      route: catalog.route(model, 'chat_completions'),
      excluded,
      class: 'default',
      place: 'newcomer',
      holder: { id: 'k', name: 'k', weight: 1 },
      tokens: { input: 10, output: 10 },
      granted: ({ host }) => void ended.push(`${model} at ${host.name}`),
      refused: ({ code }: GatewayError) => void ended.push(`${model} ${code}`),
    })
  }
  const leave = (name: string): void => {
    hosts.splice(
      hosts.findIndex((host) => host.name === name),
      1,
    )
    dispatcher.hostsChanged()
    dispatcher.hostsLeft()
  }
  return { hosts, catalog, dispatcher, ended, rejected, ask, leave, unknown: (is: boolean) => void (isOneUnknown = is) }
}

function full(host: Host): Host {
  host.leases.add({})
  return host
}

test('those that wait for it alone hear so at once, and nobody else', () => {
  const { ask, leave, ended, rejected } = given()
  for (const model of ['m', 'n', 'fast']) ask(model)
  leave('b')
  expect(ended).toEqual(['n model_not_found', 'fast model_not_found'])
  expect(rejected).toEqual(['n no_host', 'fast no_host'])
})

test('a host that is down has what it had: who waits for it waits on', () => {
  const { hosts, ask, leave, ended } = given()
  ask('n')
  hosts.find(({ name }) => name === 'b')?.connectFailed('connection refused')
  leave('a')
  expect(ended).toEqual([])
})

test('who was sent back by the one that is left waits in vain', () => {
  const { hosts, catalog, ask, leave, ended } = given()
  const c = full(knownHost('c', { lists: ['n'], slots: 1 }))
  hosts.push(c)
  ask('n', new Set([c]))
  leave('b')
  expect(ended).toEqual(['n no_upstream_available'])
  expect(catalog.route('n', 'chat_completions').candidates()).toHaveLength(1)
})

test('while a host is there that was not asked yet, nobody is sent away; then it serves them, or they are', () => {
  const served = given()
  served.ask('n')
  served.unknown(true)
  served.leave('b')
  expect(served.ended).toEqual([])
  served.hosts.push(knownHost('c', { lists: ['n'] }))
  served.unknown(false)
  served.dispatcher.hostsChanged()
  expect(served.ended).toEqual(['n at c'])

  const sent = given()
  sent.ask('n')
  sent.unknown(true)
  sent.leave('b')
  sent.hosts.push(knownHost('c', { lists: ['o'] }))
  sent.unknown(false)
  sent.dispatcher.hostsChanged()
  expect(sent.ended).toEqual(['n model_not_found'])
})

test('a name that leads elsewhere is served there', () => {
  const { hosts, catalog, dispatcher, ask, leave, ended } = given()
  ask('fast')
  hosts.push(knownHost('c', { lists: ['o'] }))
  catalog.adopt({ fast: 'o' })
  leave('b')
  expect(ended).toEqual(['fast at c'])
  catalog.adopt({})
  dispatcher.hostsLeft()
})

test('one that comes before all hosts were asked waits until they were, and no longer; one that waited before waits on', () => {
  const { hosts, ask, dispatcher, unknown, ended } = given()
  ask('m')
  hosts.find(({ name }) => name === 'a')?.connectFailed('connection refused')
  unknown(true)
  dispatcher.hostsChanged()
  ask('m')
  expect(ended).toEqual([])
  unknown(false)
  dispatcher.hostsChanged()
  expect(ended).toEqual(['m no_upstream_available'])
  expect(dispatcher.length).toBe(1)
})
