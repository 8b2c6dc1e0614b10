/** Requests of others at a host, as the host tells of them, against what the gateway itself gave to it. */
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

const everyMs = 5_000

function scene(runningOfOthers: readonly (number | null)[], { slots = 20 } = {}) {
  const clock = new FakeClock()
  const hosts = runningOfOthers.map((running, at) => {
    const host = knownHost(`h${at}`, { slots, parts: { clock } })
    if (running !== null) host.signals.told({ running }, { own: 0, askedAtMs: clock.now(), everyMs })
    return host
  })
  const { ask } = line(hosts, { clock })
  const burst = (count: number): number[] => {
    for (let asked = 0; asked < count; asked++) ask()
    return hosts.map(({ leases }) => leases.size)
  }
  return { clock, hosts, burst }
}

describe('where others work too', () => {
  it('fewer are sent, so that all hosts have as many', () => {
    expect(scene([0, 5, 5]).burst(11)).toEqual([7, 2, 2])
  })

  it('a host that says nothing is taken for one that does ours alone', () => {
    expect(scene([null, 4]).burst(4)).toEqual([4, 0])
  })

  it('a host is never full for it: it is given requests where no other has a slot', () => {
    expect(scene([50, 0], { slots: 2 }).burst(4)).toEqual([2, 2])
  })
})

describe('a burst', () => {
  it('does not run to the host that was idle when it was last asked: what it was given since counts at once', () => {
    const [idle = 0, ...others] = scene([0, 1, 1]).burst(31)
    // As many at each, those of others included.
    expect([idle, ...others.map((ours) => ours + 1)]).toEqual([11, 11, 11])
  })

  it('is spread evenly when all that was said is old', async () => {
    const { clock, burst } = scene([0, 9, 9])
    await clock.advance(3 * everyMs + 1)
    expect(burst(30)).toEqual([10, 10, 10])
  })

  it('does not make a host look idler for telling of fewer than it was given', () => {
    const { clock, hosts, burst } = scene([null, null])
    burst(10)
    hosts[0]!.signals.told({ running: 0, queued: 0 }, { own: 5, askedAtMs: clock.now(), everyMs })
    expect(burst(10)).toEqual([10, 10])
  })
})
