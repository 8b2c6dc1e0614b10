/** How work is shared out between hosts that are unlike, and between hosts that are alike, over real sockets. */
import { describe, expect, it } from 'vitest'
import { promptOf, type UnequalFleet, unequalFleet } from '../kit/unequal-fleet.ts'
import { SeededRandom } from '../soak/seeded-random.ts'

const isLong = process.env['TEST_LONG'] === 'true'

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

describe('three hosts at 1.0, 0.6 and 0.35 of the speed', () => {
  it('generate as their capacity is, while there is always more to do', async () => {
    const shares = [1, 0.6, 0.35]
    // Of smaller machines, so that a minute of theirs is not too much for this one.
    const fleet = await unequalFleet(
      shares.map((share) => share / 2),
      { slots: 4 },
    )
    const { clock, doubles } = fleet
    const random = new SeededRandom(7)
    const busy = keptBusy(fleet, 20, () => ({
      prompt: random.between(100, 600),
      answer: random.between(50, 150),
    }))
    // Until all have something, and do not begin and end together any more.
    await clock.passed(15_000)
    const before = doubles.map(({ tokensProduced }) => tokensProduced)
    await clock.passed(isLong ? 600_000 : 60_000)
    const made = doubles.map(({ tokensProduced }, at) => tokensProduced - (before[at] ?? 0))
    await busy.end()
    const points = made.map((tokens) => (100 * tokens) / sum(made))
    for (const [at, share] of shares.entries()) {
      const capacity = (100 * share) / sum(shares)
      expect(Math.abs((points[at] ?? 0) - capacity), `of ${points.join(', ')}`).toBeLessThanOrEqual(10)
    }
  }, 240_000)
})

describe('two equal hosts, affinity off', () => {
  const requests = 1_000
  for (const clients of [1, 3, 12]) {
    // Other work of the machine can make one of two look slower for as long as this takes, but not again and again.
    const options = { timeout: 240_000, retry: 2 }
    it(`end within 5 % of each other after ${requests} requests of ${clients} at a time`, options, async () => {
      const fleet = await unequalFleet([1, 1], { slots: 4, balancing: { prefixes: { enabled: false } } })
      const random = new SeededRandom(clients)
      let begun = 0
      await Promise.all(
        Array.from({ length: clients }, async () => {
          while (begun++ < requests)
            await fleet.chat(promptOf(random.between(20, 300), `${begun}`), random.between(4, 12))
        }),
      )
      const [a = 0, b = 0] = fleet.doubles.map(({ tokensProduced }) => tokensProduced)
      const served = fleet.gateway.usage.map(({ host }) => host)
      const [ofA = 0, ofB = 0] = ['host-0', 'host-1'].map((name) => served.filter((host) => host === name).length)
      expect(served).toHaveLength(requests)
      expect(apart(ofA, ofB), `${ofA} and ${ofB} requests`).toBeLessThanOrEqual(0.05)
      expect(apart(a, b), `${a} and ${b} tokens`).toBeLessThanOrEqual(0.05)
    })
  }
})

/** How far one is behind the other, as a share of the larger. */
function apart(a: number, b: number): number {
  return Math.abs(a - b) / Math.max(a, b)
}

interface Size {
  readonly prompt: number
  readonly answer: number
}

/** So many clients ask again as soon as they are answered, until it is ended. */
function keptBusy(fleet: UnequalFleet, clients: number, sizeOf: () => Size): { end(): Promise<void> } {
  const stop = new AbortController()
  let asked = 0
  const all = Array.from({ length: clients }, async () => {
    while (!stop.signal.aborted) {
      const { prompt, answer } = sizeOf()
      await fleet.chat(promptOf(prompt, `${asked++}`), answer)
    }
  })
  return {
    async end() {
      stop.abort()
      await Promise.all(all)
    },
  }
}
