import { describe, expect, it } from 'vitest'
import { Host } from '../../../src/hosts/host.ts'
import type { HostParts } from '../../../src/hosts/host-settings.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { healthDefaults, hostParts, knownHost, knownModel, sloDefaults } from '../../kit/known-hosts.ts'

const fall = 3
const unprobed = (kind: 'lmx' | 'ollama' | null = 'lmx', slots?: number): Host =>
  new Host(
    { name: 'h', url: 'http://127.0.0.1:9/base/', kind: kind === null ? null : hostKind(kind), models: [], slots },
    { connectMsMax: 100, health: healthDefaults, slo: sloDefaults },
    hostParts(),
  )

describe('availability', () => {
  it('takes no work before its first probe, and is down at once when that fails', () => {
    const host = unprobed()
    expect([host.up, host.available, host.probed]).toEqual([false, false, false])
    host.probeFailed('connection refused', fall)
    expect([host.up, host.probed, host.problem]).toEqual([false, true, 'connection refused'])
  })

  it('once up, it is down at the last of `fall` failures in a row and not at the one before', () => {
    const host = knownHost('h')
    host.probeFailed('slow', fall)
    host.probeFailed('slow', fall)
    expect(host.available).toBe(true)
    host.probeFailed('slow', fall)
    expect([host.up, host.problem]).toEqual([false, 'slow'])
  })

  it('a good probe ends the count of failures', () => {
    const host = knownHost('h')
    for (let i = 0; i < 2; i++) host.probeFailed('slow', fall)
    host.probeSucceeded({ models: null })
    for (let i = 0; i < 2; i++) host.probeFailed('slow', fall)
    expect(host.available).toBe(true)
  })

  it('a refused connection takes it down at once, the next good probe brings it back', () => {
    const host = knownHost('h')
    host.connectFailed('connection refused')
    expect(host.available).toBe(false)
    expect(host.probeSucceeded({ models: null })).toBe(true)
    expect(host.available).toBe(true)
  })

  it('a host that sheds load is up but takes no work', () => {
    const host = knownHost('h')
    host.probeSucceeded({ models: null, shedding: 'memory pressure' })
    expect([host.up, host.available, host.problem]).toEqual([true, false, 'memory pressure'])
  })
})

describe('coming back', () => {
  const good = { models: null }
  const rise = 2
  const down = (parts?: Partial<HostParts>): Host =>
    knownHost('h', { up: false, ...(parts === undefined ? {} : { parts }) })

  it('takes `rise` good probes in a row; one that failed between them begins the count anew', () => {
    const host = down()
    expect([host.probeSucceeded(good, rise), host.up]).toEqual([false, false])
    host.probeFailed('slow', fall)
    expect([host.probeSucceeded(good, rise), host.up]).toEqual([false, false])
    expect([host.probeSucceeded(good, rise), host.up, host.problem]).toEqual([true, true, null])
  })

  it('a request that cannot connect begins the count anew too', () => {
    const host = down()
    host.probeSucceeded(good, rise)
    host.connectFailed('connection refused')
    host.probeSucceeded(good, rise)
    expect(host.up).toBe(false)
  })

  it('at the start of the gateway one is enough, after failures as well, and all slots are there at once', () => {
    const host = unprobed()
    host.probeFailed('connection refused', fall)
    host.probeSucceeded(good, rise)
    expect([host.up, host.health.limit]).toEqual([true, 2])
  })

  it('what is learnt while it is not up yet is kept, and told', () => {
    const host = down()
    expect(host.probeSucceeded({ models: [knownModel('new')] }, rise)).toBe(true)
    expect([host.up, host.serves('new')]).toEqual([false, true])
  })

  it('one that fell during its slow start stays down until 30 s after its return, however well it is', () => {
    const clock = new FakeClock()
    const host = down({ clock })
    host.probeSucceeded(good)
    clock.advanceSync(3_000)
    host.connectFailed('connection refused')
    clock.advanceSync(26_999)
    for (let i = 0; i < 5; i++) host.probeSucceeded(good, rise)
    expect([host.up, host.health.unprovenForMs]).toEqual([false, 1])
    clock.advanceSync(1)
    expect([host.probeSucceeded(good, rise), host.up]).toEqual([true, true])
  })

  it('the only one that is left need not prove itself: it is better than none', () => {
    const clock = new FakeClock()
    let others = true
    const host = down({ clock, canSpare: () => others })
    host.probeSucceeded(good)
    host.connectFailed('connection refused')
    for (let i = 0; i < rise; i++) host.probeSucceeded(good, rise)
    expect([host.up, host.provenInMs]).toEqual([false, 30_000])
    others = false
    expect([host.provenInMs, host.probeSucceeded(good, rise), host.up]).toEqual([0, true, true])
  })

  it('one that fell after its slow start is up again after `rise` good probes', () => {
    const clock = new FakeClock()
    const host = down({ clock })
    host.probeSucceeded(good)
    clock.advanceSync(30_000)
    host.connectFailed('connection refused')
    for (let i = 0; i < rise; i++) host.probeSucceeded(good, rise)
    expect(host.up).toBe(true)
  })
})

describe('models', () => {
  it('a failed list keeps the last one', () => {
    const host = knownHost('h', { lists: ['a', 'b'] })
    host.probeSucceeded({ models: null })
    expect([host.serves('a'), host.serves('c')]).toEqual([true, false])
  })

  it('a list that was never read is not an empty one', () => {
    const host = unprobed()
    host.probeSucceeded({ models: null })
    expect(host.catalogueKnown).toBe(false)
    host.probeSucceeded({ models: [] })
    expect(host.catalogueKnown).toBe(true)
  })

  it('serves what is configured beyond its list', () => {
    expect(knownHost('h', { lists: [], models: ['whisper'] }).serves('whisper')).toBe(true)
  })

  it('tells a change of models, slots or availability, and nothing else', () => {
    const host = knownHost('h', { lists: ['a'] })
    expect(host.probeSucceeded({ models: [knownModel('a')] })).toBe(false)
    expect(host.probeSucceeded({ models: [knownModel('b')] })).toBe(true)
    expect(host.probeSucceeded({ models: null, slots: 7 })).toBe(true)
    expect(host.probeSucceeded({ models: null, slots: 7 })).toBe(false)
  })

  it('one that the host says it does not have is gone at once; the next list that names it restores it', () => {
    const host = knownHost('h', { lists: ['a', 'b'], models: ['c'] })
    for (const id of ['a', 'c', 'unknown']) host.modelGone(id)
    expect(['a', 'b', 'c'].map((id) => host.serves(id))).toEqual([false, true, true])
    host.probeSucceeded({ models: null })
    expect(host.serves('a')).toBe(false)
    expect(host.probeSucceeded({ models: [knownModel('a'), knownModel('b')] })).toBe(true)
    expect(host.serves('a')).toBe(true)
  })

  it('must load a model only where the kind loads on demand and the model is not resident', () => {
    const ollama = unprobed('ollama')
    ollama.probeSucceeded({ models: [knownModel('in-memory'), knownModel('on-disk', false)] })
    expect([ollama.mustLoad('in-memory'), ollama.mustLoad('on-disk')]).toEqual([false, true])
    expect(knownHost('lmx').mustLoad('m')).toBe(false)
  })
})

it('slots: configured, else reported, else of the kind, else four', () => {
  expect(unprobed(null).slots).toBe(4)
  expect(unprobed('lmx').slots).toBe(2)
  const reported = unprobed('lmx')
  reported.probeSucceeded({ models: null, slots: 6 })
  expect(reported.slots).toBe(6)
  const configured = unprobed('lmx', 3)
  configured.probeSucceeded({ models: null, slots: 6 })
  expect(configured.slots).toBe(3)
})

it('has a free slot up to its number of slots', () => {
  const host = knownHost('h', { slots: 2 })
  host.leases.add({})
  expect(host.hasFreeSlot).toBe(true)
  host.leases.add({})
  expect(host.hasFreeSlot).toBe(false)
})

it('the base path of its URL stands in front of every path', () => {
  expect([unprobed().basePath, knownHost('h').basePath]).toEqual(['/base', ''])
})
