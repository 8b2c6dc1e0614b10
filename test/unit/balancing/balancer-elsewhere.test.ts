/** What is at a host is counted once, whoever gave it to it: this gateway, another one that tells of it, or a stranger. */
import { expect, it } from 'vitest'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'

it('what a host says of its load has the requests of all gateways in it', () => {
  const clock = new FakeClock()
  const hosts = ['a', 'b'].map((name) => knownHost(name, { slots: 16, parts: { clock } }))
  const balancer = balancerOf({ clock })
  const elsewhere = balancer.shareWork(() => hosts)
  const [a] = hosts
  const looked = () => {
    const candidates = hosts.map((host) => ({ host, model: 'm' }))
    const decision = balancer.choose(askFor(), candidates, { mayWait: false, waitingFor: () => 0 })
    const place = decision?.considered.find(({ place: { host } }) => host === a)?.place
    return [place?.running, place?.inputAhead, place?.outputAhead]
  }
  a!.leases.add({})
  const told = (running: number) => elsewhere.heard('other', { isAll: true, rows: [['a', running, 700, 90 * running]] })
  told(3)
  expect(looked()).toEqual([4, 700, 270])
  // It was asked while it had one of ours and three of the other one: one more is of a stranger.
  a!.signals.told({ running: 5 }, { own: 1, elsewhere: 3, askedAtMs: clock.now(), everyMs: 5_000 })
  expect(looked()).toEqual([5, 700, 270 + 128])
  // Those of the other one have ended since, and the host was not asked again.
  told(0)
  expect(looked()).toEqual([2, 0, 128])
  // Where nobody tells, they are strangers all of them.
  a!.signals.told({ running: 5 }, { own: 1, askedAtMs: clock.now(), everyMs: 5_000 })
  expect(looked()).toEqual([5, 0, 4 * 128])
})

it('what was told of hosts ends with who told it, and slots that others hold are free again', () => {
  const clock = new FakeClock()
  const host = knownHost('a', { slots: 2, parts: { clock } })
  const balancer = balancerOf({ clock })
  const elsewhere = balancer.shareWork(() => [host])
  elsewhere.heard('other', { isAll: true, rows: [['a', 2, 0, 100]] })
  expect([host.heldInAll, host.elsewhere.held]).toEqual([2, 2])
  elsewhere.gone('other')
  expect([host.heldInAll, host.hasFreeSlot, clock.pendingTimers]).toEqual([0, true, 0])
})
