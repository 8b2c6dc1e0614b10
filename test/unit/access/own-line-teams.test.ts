/** Who waits in its key's line is one member of its team among others: as if its client came back exactly as it was told. */
import { describe, expect, it } from 'vitest'
import type { Subject } from '../../../src/access/limiter.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import { keyOf, used } from './limiter-parts.ts'
import { ownLinesOf } from './own-line-parts.ts'
import { seeded } from './request-sizes.ts'

const tokensPerMinute = 6_000
const teams = { ml: { tokensPerMinute } }
const [a, b] = [keyOf({}, 'ml', 'A'), keyOf({}, 'ml', 'B')]
const patienceMs = 60_000

type Scene = ReturnType<typeof ownLinesOf>
type End = (waitedMs: number, reservation: Reservation | null) => void
type Way = (scene: Scene, subject: Subject, tokens: number, end: End) => void

const inLine: Way = ({ enter }, subject, tokens, onEnd) => void enter(subject, tokens, { patienceMs, onEnd })

/** Its client asks again whenever it was told to, as long as that is inside the same patience. */
const comingBack: Way = ({ clock, limiter }, subject, tokens, end) => {
  const sinceMs = clock.now()
  const cost = { requests: 1, input: tokens, output: 0 }
  const ask = (): void => {
    const answer = limiter.ask(subject, cost)
    const waitedMs = clock.now() - sinceMs
    if (!('waitMs' in answer)) return end(waitedMs, answer)
    limiter.refuse(subject, cost, answer)
    if (waitedMs + answer.waitMs > patienceMs) end(waitedMs, null)
    else clock.after(answer.waitMs, ask)
  }
  ask()
}

/** Waits of member A's requests, one after the other, beside one that asks at random and goes away when it is refused. */
function waitsBesideAnother(seed: number, way: Way): readonly string[] {
  const scene = ownLinesOf({ teams })
  const { clock, limiter } = scene
  const random = seeded(seed)
  const others = seeded(seed + 1_000)
  const waits: string[] = []
  const next = (): void => {
    const tokens = Math.ceil(tokensPerMinute * (0.02 + 0.3 * random() * random()))
    way(scene, a, tokens, (waitedMs, reservation) => {
      waits.push(`${tokens}: ${reservation === null ? 'refused' : 'admitted'} after ${waitedMs}`)
      reservation?.settle(used(tokens, 0))
      clock.after(1 + Math.floor(random() * 3_000), next)
    })
  }
  const disturb = (): void => {
    const cost = { requests: 1, input: Math.ceil(tokensPerMinute * 0.2 * others() * others()), output: 0 }
    const answer = limiter.ask(b, cost)
    if ('waitMs' in answer) limiter.refuse(b, cost, answer)
    else clock.after(Math.floor(others() * 20_000), () => answer.settle(others() < 0.3 ? null : used(cost.input, 0)))
    clock.after(50 + Math.floor(others() * 4_000), disturb)
  }
  disturb()
  next()
  clock.advanceSync(10 * 60_000)
  return waits
}

describe('a member that waits in its line', () => {
  it('waits exactly as long as one whose client comes back when it is told to, whatever others ask', () => {
    let waited = 0
    for (let seed = 1; seed <= 20; seed++) {
      const waits = waitsBesideAnother(seed, inLine)
      waited += waits.filter((wait) => !wait.endsWith(' 0')).length
      expect(waits).toEqual(waitsBesideAnother(seed, comingBack))
    }
    expect(waited).toBeGreaterThan(200)
  }, 60_000)
})

/** What a member with ten requests at all times gets of what it and one with a single one get. */
function shareOfMany(tokens: number, way: Way): number {
  const scene = ownLinesOf({ teams })
  let [many, single] = [0, 0]
  const keepAsking = (subject: Subject, count: () => void): void => {
    way(scene, subject, tokens, (_waitedMs, reservation) => {
      if (reservation !== null) count()
      reservation?.settle(used(tokens, 0))
      scene.clock.after(reservation === null ? 1_000 : 1, () => keepAsking(subject, count))
    })
  }
  for (let i = 0; i < 10; i++) keepAsking(a, () => many++)
  keepAsking(b, () => single++)
  scene.clock.advanceSync(20 * 60_000)
  return many / (many + single)
}

describe('a member that has ten requests waiting', () => {
  it.each([100, 700, 1_000])(
    'gets no more than twice what one with a single one gets, at %d tokens',
    (tokens) => {
      const share = shareOfMany(tokens, inLine)
      expect(share).toBeGreaterThan(1 / 3)
      expect(share).toBeLessThan(2 / 3)
      // Where ten clients of its come back for themselves it gets more.
      expect(shareOfMany(tokens, comingBack)).toBeGreaterThan(0.8)
    },
    60_000,
  )
})
