/** Which hosts serve a name, of fleets that change. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { ServingIndex } from '../../../src/hosts/serving-index.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'

const list = (host: Host, names: readonly string[]): boolean =>
  host.probeSucceeded({ models: names.map((id) => knownModel(id)) })

describe('the index', () => {
  it('says what looking at every host would say, whatever changes', () => {
    const names = fc.subarray(['a', 'b', 'c', 'd', '__proto__'])
    const change = fc.oneof(
      fc.record({ kind: fc.constant('list' as const), at: fc.nat(7), names }),
      fc.record({ kind: fc.constant('gone' as const), at: fc.nat(7), names }),
      fc.record({ kind: fc.constant('join' as const), at: fc.nat(7), names }),
      fc.record({ kind: fc.constant('leave' as const), at: fc.nat(7), names }),
      fc.record({ kind: fc.constant('all' as const), at: fc.nat(7), names }),
    )
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const hosts: Host[] = [knownHost('0', { models: ['own'] }), knownHost('1', { lists: null }), knownHost('2')]
        const index = new ServingIndex(hosts)
        for (const { kind, at, names: some } of changes) {
          const host = hosts[at % Math.max(1, hosts.length)]
          if (kind === 'join') hosts.splice(at % (hosts.length + 1), 0, knownHost('new', { lists: some }))
          else if (kind === 'leave') hosts.splice(at % Math.max(1, hosts.length), 1)
          else if (kind === 'all') for (const each of hosts) list(each, some)
          else if (kind === 'gone') for (const name of some) host?.modelGone(name)
          else if (host !== undefined) list(host, some)
          for (const name of ['a', 'b', 'c', 'd', 'm', 'own', '__proto__', 'never']) {
            expect(index.hostsOf(name)).toEqual(hosts.filter((each) => each.serves(name)))
          }
          expect(index.names()).toEqual(
            [
              ...new Set(hosts.flatMap((each) => [...(each.models?.keys() ?? []), ...each.configuredModels])),
            ].toSorted(),
          )
        }
      }),
    )
  })

  it('is kept while no name changes', () => {
    const hosts = [knownHost('a', { lists: ['x', 'y'] }), knownHost('b', { lists: ['x'] })]
    const index = new ServingIndex(hosts)
    const before = index.hostsOf('x')
    list(hosts[0]!, ['y', 'x'])
    expect(index.hostsOf('x')).toBe(before)
    list(hosts[0]!, ['y'])
    expect(index.hostsOf('x')).toEqual([hosts[1]])
  })
})

const tell = (figures: string) => process.stdout.write(`S15: ${figures}\n`)

/** What is wanted of one refresh of the map, and how often longer a busy machine may take. */
const wantedMs = 20
const leewayTimes = 20

describe('S15: 64 hosts with 500 models each', () => {
  const namesOf = (host: number): string[] =>
    Array.from({ length: 500 }, (_, at) => (at < 100 ? `shared/model-${at}` : `host-${host}/model-${at}`))
  const fleet = (): Host[] => Array.from({ length: 64 }, (_, at) => knownHost(`h${at}`, { lists: namesOf(at) }))

  /** Of this process' own time, however much else the machine does. */
  function cpuMsOf(work: () => unknown): number {
    const before = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  }

  it('a refresh of the map holds the loop up no longer than wanted, be it of one host or of all', () => {
    const hosts = fleet()
    const catalog = new ModelCatalog(hosts, {})
    const first = cpuMsOf(() => catalog.knows('shared/model-1'))
    const ofOne = cpuMsOf(() => {
      list(hosts[7]!, [...namesOf(7).slice(1), 'newcomer'])
      return catalog.knows('newcomer')
    })
    const ofAll = cpuMsOf(() => {
      hosts.push(knownHost('another', { lists: namesOf(64) }))
      return catalog.knows('host-64/model-499')
    })
    expect([catalog.knows('newcomer'), catalog.knows('host-64/model-499')]).toEqual([true, true])
    tell(
      `the map of 32,000 places takes ${first} ms at first and ${ofAll} ms again, ${ofOne} ms where one host changed`,
    )
    expect(Math.max(first, ofOne, ofAll)).toBeLessThan(wantedMs * leewayTimes)
  })

  it('a request looks at no other names than its own', () => {
    const hosts = fleet()
    const catalog = new ModelCatalog(hosts, {})
    catalog.knows('shared/model-1')
    let looked = 0
    for (const host of hosts) {
      const { models } = host
      const serves = host.serves.bind(host)
      Object.defineProperty(host, 'models', { get: () => (looked++, models) })
      host.serves = (name) => (looked++, serves(name))
    }
    const routes = 1_000
    let found = 0
    const ms = cpuMsOf(() => {
      for (let at = 0; at < routes; at++) {
        const route = catalog.route(`host-${at % 64}/model-${100 + (at % 400)}`, 'chat_completions')
        found += route.candidates().length
      }
    })
    tell(`a route and its candidates take ${(1_000 * ms) / routes} µs`)
    expect([found, looked]).toEqual([routes, 0])
  })

  it('the list of all names is told whole', () => {
    const catalog = new ModelCatalog(fleet(), { fast: 'shared/model-1' })
    const names = catalog.list().map(({ id }) => id)
    expect(names).toHaveLength(100 + 64 * 400 + 1)
    expect(names).toEqual(names.toSorted())
  })
})
