/** Hosts join, take other settings and leave; time and servers are elsewhere. */
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { addressIn, Fleet, type FleetOptions, type NamedHost } from '../../../src/hosts/fleet.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { certificateFolder } from '../../kit/certificate-files.ts'
import { certificate } from '../../kit/certificates.ts'
import { healthDefaults, hostParts, knownModel, sloDefaults } from '../../kit/known-hosts.ts'

const host = (name: string, more: Partial<NamedHost> = {}): NamedHost => ({
  name,
  url: `http://${name}.test:1`,
  models: [],
  streamUpstream: false,
  tier: 1,
  weight: 1,
  allowModelLoads: false,
  ...more,
})

const optionsOf = (hosts: readonly NamedHost[], more: Partial<FleetOptions> = {}): FleetOptions => ({
  hosts,
  health: healthDefaults,
  slo: sloDefaults,
  relay: { connectMsMax: 1_000 },
  models: { clocks: {} },
  ...more,
})

function fleetOf(...hosts: readonly NamedHost[]) {
  const told: string[] = []
  const say =
    (what: string) =>
    ({ name }: Host): void =>
      void told.push(`${what} ${name}`)
  let networks: readonly string[] = ['10.0.0.1']
  const { mayEject: _mayEject, canSpare: _canSpare, ...parts } = hostParts()
  const fleet = new Fleet(optionsOf(hosts), {
    ...parts,
    resolveName: undefined,
    mayConnectTo: (address) => networks.includes(address),
    onChange: () => void told.push('changed'),
    onJoined: say('joined'),
    onLeaving: say('leaving'),
    onLeft: say('left'),
    onShrunk: () => void told.push('shrunk'),
  })
  const named = (name: string): Host => {
    const found = fleet.hosts.find((one) => one.name === name)
    if (found === undefined) throw new Error(`no host ${name}`)
    return found
  }
  return { fleet, told, named, allow: (...those: string[]) => void (networks = those) }
}

const names = (hosts: Iterable<Host>): string[] => Array.from(hosts, ({ name }) => name)

/** A request at the host, as a lease is. */
function hold(at: Host): () => void {
  const lease = {}
  at.leases.add(lease)
  return () => {
    at.leases.delete(lease)
    at.leaseEnded()
  }
}

describe('as the configuration has it', () => {
  test('one list for good shows what is there now, in the order of the configuration', () => {
    const { fleet, told } = fleetOf(host('a'), host('b'))
    const { hosts } = fleet
    expect(fleet.adopt(fleet.check(optionsOf([host('c'), host('a')])))).toEqual({
      joined: ['c'],
      left: ['b'],
      changed: [],
    })
    expect(names(hosts)).toEqual(['c', 'a'])
    // Whoever is told asks the list, so it is whole by then; who waits in vain hears so once who joined is there.
    expect(told).toEqual(['leaving b', 'left b', 'joined c', 'changed', 'shrunk'])
    told.length = 0
    expect(fleet.adopt(fleet.check(optionsOf([host('c'), host('a')])))).toEqual({ joined: [], left: [], changed: [] })
    expect(told).toEqual([])
  })

  test('with other settings it is the same host, and what runs there is not touched', () => {
    const { fleet, named, told } = fleetOf(host('a', { slots: 1 }))
    const before = named('a')
    before.probeSucceeded({ models: [knownModel('m')] })
    const release = hold(before)
    const more = { slots: 3, tier: 2, weight: 5, apiKey: 'k', models: ['extra'], clocks: { connectMsMax: 9_000 } }
    expect(fleet.adopt(fleet.check(optionsOf([host('a', more)]))).changed).toEqual(['a'])
    expect(named('a')).toBe(before)
    expect(before).toMatchObject({ slots: 3, tier: 2, weight: 5, apiKey: 'k', up: true, draining: false })
    expect([before.serves('m'), before.serves('extra'), before.serves('other')]).toEqual([true, true, false])
    expect(before.clocks).toEqual({ connectMsMax: 9_000 })
    release()
    expect(told).toEqual(['changed'])
  })

  test.each([
    ['url', { url: 'http://elsewhere.test:1' }],
    ['kind', { kind: 'ollama' as const }],
  ])('with another %s it is another server: the one before finishes beside it', (_what, more) => {
    const { fleet, named, told } = fleetOf(host('a'))
    const before = named('a')
    const release = hold(before)
    expect(fleet.adopt(fleet.check(optionsOf([host('a', more)])))).toEqual({ joined: ['a'], left: ['a'], changed: [] })
    expect(named('a')).not.toBe(before)
    expect([...fleet.leaving]).toEqual([before])
    told.length = 0
    release()
    expect(told).toEqual(['left a'])
    expect([...fleet.leaving]).toEqual([])
  })

  test('what was checked is taken as it was read: a file that is gone by then stops nothing half way', () => {
    const { fleet } = fleetOf(host('a'))
    const file = certificateFolder().write('ca.pem', certificate('authority', { authority: true }).cert)
    const checked = fleet.check(optionsOf([host('a'), host('b', { url: 'https://b.test', ca: file })]))
    rmSync(file)
    expect(fleet.adopt(checked).joined).toEqual(['b'])
    expect(names(fleet.hosts)).toEqual(['a', 'b'])
  })

  test('a file that cannot be used changes nothing', () => {
    const { fleet, told } = fleetOf(host('a'))
    const broken = optionsOf([host('b', { url: 'https://b.test', ca: '/no/such.pem' })])
    expect(() => fleet.check(broken)).toThrow(/ca of the host b/)
    expect(names(fleet.hosts)).toEqual(['a'])
    expect(told).toEqual([])
  })
})

describe('leaving', () => {
  test('it is given nothing more, and is forgotten when the last of it has ended, once', () => {
    const { fleet, named, told } = fleetOf(host('a'), host('b'))
    const b = named('b')
    b.probeSucceeded({ models: [] })
    const [one, two] = [hold(b), hold(b)]
    fleet.adopt(fleet.check(optionsOf([host('a')])))
    expect(b).toMatchObject({ draining: true, available: false })
    one()
    expect(told).not.toContain('left b')
    two()
    b.leaseEnded()
    expect(told.filter((line) => line === 'left b')).toHaveLength(1)
  })

  test('it comes back as it is while something runs there, and counts that', () => {
    const { fleet, named, told } = fleetOf(host('a'), host('b'))
    const b = named('b')
    const release = hold(b)
    fleet.adopt(fleet.check(optionsOf([host('a')])))
    fleet.adopt(fleet.check(optionsOf([host('a'), host('b')])))
    expect(named('b')).toBe(b)
    expect(b).toMatchObject({ draining: false })
    release()
    expect(told).not.toContain('left b')
  })

  test('its number is another one’s when it is closed, so that lists by number do not grow with each change', async () => {
    const { fleet } = fleetOf(host('a'))
    const numbers = new Set<number>()
    for (let i = 0; i < 50; i++) {
      fleet.adopt(fleet.check(optionsOf([host(`h${i}`)])))
      for (const { number } of fleet.hosts) numbers.add(number)
      await Promise.resolve()
    }
    expect(numbers.size).toBeLessThan(5)
  })
})

describe('by an operator', () => {
  test('added, it stays through a reload; the file wins where it has one of that name or place', () => {
    const { fleet, named } = fleetOf(host('a'))
    fleet.add(host('b'))
    expect([fleet.sourceOf(named('a')), fleet.sourceOf(named('b'))]).toEqual(['configuration', 'operator'])
    fleet.adopt(fleet.check(optionsOf([host('a'), host('c')])))
    expect(names(fleet.hosts)).toEqual(['a', 'c', 'b'])
    const b = named('b')
    expect(fleet.adopt(fleet.check(optionsOf([host('b', { slots: 9 })])))).toEqual({
      joined: [],
      left: ['a', 'c'],
      changed: ['b'],
    })
    expect(named('b')).toBe(b)
    expect(fleet.sourceOf(b)).toBe('configuration')
    fleet.add(host('d'))
    expect(fleet.adopt(fleet.check(optionsOf([host('other', { url: 'http://d.test:1/' })]))).left).toEqual(['b', 'd'])
  })

  test('taken out, it stays away while the file has it, until it is added, or the file had it no more', () => {
    const { fleet, named } = fleetOf(host('a'), host('b'))
    fleet.remove(named('b'))
    fleet.adopt(fleet.check(optionsOf([host('a'), host('b', { slots: 2 })])))
    expect(names(fleet.hosts)).toEqual(['a'])
    fleet.add(host('b'))
    expect(names(fleet.hosts)).toEqual(['a', 'b'])
    fleet.adopt(fleet.check(optionsOf([host('a'), host('b')])))
    expect(fleet.sourceOf(named('b'))).toBe('configuration')

    fleet.remove(named('b'))
    fleet.adopt(fleet.check(optionsOf([host('a')])))
    fleet.adopt(fleet.check(optionsOf([host('a'), host('b')])))
    expect(names(fleet.hosts)).toEqual(['a', 'b'])
  })

  test('at an address, it goes when the networks are others', () => {
    const { fleet, allow } = fleetOf(host('a'))
    fleet.add(host('b', { url: 'http://10.0.0.1:1' }))
    fleet.adopt(fleet.check(optionsOf([host('a', { slots: 2 })])))
    expect(names(fleet.hosts)).toEqual(['a', 'b'])
    allow('10.0.0.2')
    expect(fleet.adopt(fleet.check(optionsOf([host('a')]))).left).toEqual(['b'])
  })
})

test.each([
  ['http://10.0.0.1:80', '10.0.0.1'],
  ['http://0x7f.1', '127.0.0.1'],
  ['http://[::ffff:127.0.0.3]:1', '::ffff:7f00:3'],
  ['http://mini.local', null],
])('the address of %s is %s', (url, address) => {
  expect(addressIn(url)).toBe(address)
})
