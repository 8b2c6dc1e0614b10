/** Who pays for a load: the request that brought it about, and nobody who joins. */
import { expect, test } from 'vitest'
import { assumedSpeed } from '../../../src/balancing/speed.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { tokenCosts } from '../../../src/queue/bill.ts'
import { Flow } from '../../../src/queue/flow.ts'
import { Lease } from '../../../src/queue/lease.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'
import { billed, decisionFor } from '../../kit/places.ts'

function scene() {
  const clock = new FakeClock()
  const host = knownHost('mini', { kind: hostKind('ollama'), lists: null, parts: { clock } })
  host.probeSucceeded({ models: [knownModel('m', false)] })
  const balancer = balancerOf({ clock })
  const leaseOf = (id: string, weight = 1) => {
    const flow = new Flow({ id, name: id, weight })
    const parts = { grantedAtMs: clock.now(), asked: 'm', class: 'default' as const, onRelease: () => {} }
    return { flow, lease: new Lease(decisionFor(host), { ...parts, ...billed(flow, host, balancer) }) }
  }
  return { clock, host, leaseOf }
}

/** What the host could have generated in 30 s. */
const costOf30s = 30 * assumedSpeed.decodeTokensPerSecond * tokenCosts.output

test('a request that has the model loaded is charged the time that it took, by its weight; who comes then pays nothing', () => {
  const { clock, host, leaseOf } = scene()
  const first = leaseOf('first', 2)
  clock.advanceSync(30_000)
  first.lease.firstToken()
  const second = leaseOf('second')
  second.lease.firstToken()
  expect([first.flow.counterAt(host), second.flow.counterAt(host)]).toEqual([costOf30s / 2, 0])
  // Nothing of it is given back when the answer came to nothing after all.
  first.lease.bill.refund()
  first.lease.release()
  expect(first.flow.counterAt(host)).toBe(costOf30s / 2)
  expect(first.lease.loadedForMs).toBe(30_000)
})

test('one that gives up pays until then, and who takes the load up pays the rest', () => {
  const { clock, host, leaseOf } = scene()
  const first = leaseOf('first')
  clock.advanceSync(10_000)
  first.lease.release()
  const second = leaseOf('second')
  clock.advanceSync(20_000)
  second.lease.firstToken()
  const counters = [first.flow.counterAt(host), second.flow.counterAt(host)]
  expect(counters).toEqual([costOf30s / 3, (costOf30s * 2) / 3])
})
