/** How unequally two keys can be served that both have requests waiting all the time. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { requestClasses } from '../../../src/base/request-class.ts'
import { tokenCosts } from '../../../src/queue/bill.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const isLong = process.env['TEST_LONG'] === 'true'

const tokensMax = 40
/** Of the largest request. */
const costMax = tokensMax * (tokenCosts.input + tokenCosts.output)
const slots = { a: 2, b: 1 }
const slotsInAll = slots.a + slots.b
/** Each key has so many waiting whenever one of them may be granted a slot. */
const waitingMin = slotsInAll + 1

/** Bulk work that has waited long goes before other bulk work for that, whosever they are: that is age and no share. */
const never = 1e9

const tokens = fc.nat({ max: tokensMax })
const size = fc.record({ input: tokens, output: tokens })
/** What a key asks for is always the same, and is not what it gets. */
const key = fc.record({ weight: fc.constantFrom(0.5, 1, 2), expected: size, served: size })
type Key = typeof key extends fc.Arbitrary<infer One> ? One : never

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end' as const), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('generate' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lose' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat({ max: 20_000 }) }) },
)

it('between keys that always wait there is never more than all slots hold, each of them the largest request', () => {
  fc.assert(
    fc.property(
      fc.array(key, { minLength: 2, maxLength: 4 }),
      fc.constantFrom(...requestClasses),
      fc.array(step, { minLength: 100, maxLength: 200, size: 'max' }),
      (keys, ofClass, steps) => {
        const clock = new FakeClock()
        const hosts = [knownHost('a', { slots: slots.a }), knownHost('b', { slots: slots.b })]
        const { ask, granted, dispatcher } = line(hosts, {
          clock,
          classes: { bulk: { promoteAfterMs: never } },
        })
        const running: { readonly asker: Asker; readonly of: Key; generated: number }[] = []
        const owners = new Map<Asker, Key>()
        const fill = (): void => {
          for (const [index, of] of keys.entries()) {
            const flow = () => [...dispatcher.flows()].find(({ id }) => id === `key-${index}`)
            while ((flow()?.waiting ?? 0) < waitingMin) {
              const { weight, expected } = of
              const asked = { key: `key-${index}`, weight, tokens: expected, class: ofClass, patienceMs: 1e9 }
              owners.set(ask('m', asked), of)
            }
          }
        }
        const largestShare = costMax / Math.min(...keys.map(({ weight }) => weight))
        for (const one of steps) {
          fill()
          for (const asker of granted.splice(0)) running.push({ asker, of: owners.get(asker)!, generated: 0 })
          expect(Math.max(0, ...dispatcher.leads().values())).toBeLessThanOrEqual(slotsInAll * largestShare)
          if (one.kind === 'time') {
            clock.advanceSync(one.ms)
            continue
          }
          const at = one.pick % running.length
          const { asker, of, generated } = running[at]!
          if (one.kind === 'generate') {
            const more = Math.min(5, of.served.output - generated)
            asker.lease?.bill.generated(more)
            running[at]!.generated += more
            continue
          }
          if (one.kind === 'end') asker.lease?.bill.correct({ ...of.served, cachedInput: 0 })
          else asker.lease?.bill.refund()
          running.splice(at, 1)
          asker.lease?.release()
        }
      },
    ),
    { numRuns: isLong ? 2_000 : 60 },
  )
}, 600_000)

it('a request that has risen by age is not passed by a fresh one of a key that was served more', () => {
  const clock = new FakeClock()
  const { ask } = line([knownHost('a', { slots: 1 })], { clock })
  const running = ask('m', { key: 'served' })
  const old = ask('m', { key: 'patient' })
  running.lease?.bill.generated(100)
  clock.advanceSync(31_000)
  const fresh = ask('m', { key: 'served' })
  running.lease?.release()
  expect({ old: old.lease?.host.name, fresh: fresh.lease }).toEqual({ old: 'a', fresh: null })
})
