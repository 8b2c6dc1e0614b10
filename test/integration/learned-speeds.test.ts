/** What is learned of the speed of hosts from the traffic that passes, over real sockets. */
import { expect, it } from 'vitest'
import { model } from '../kit/fleet.ts'
import { costOf, fastestCost, promptOf, type UnequalFleet, unequalFleet } from '../kit/unequal-fleet.ts'
import { SeededRandom } from '../soak/seeded-random.ts'

const shares = [1, 0.6, 0.35]

interface Size {
  readonly prompt: readonly [number, number]
  readonly answer: readonly [number, number]
}

const usual: Size = { prompt: [300, 1_500], answer: [50, 120] }

it('the figures of three unequal hosts come to what they are, in their order', async () => {
  const fleet = await unequalFleet(shares, { slots: 4 })
  await asked(fleet, { requests: 120, clients: 8 })
  for (const [at, share] of shares.entries()) {
    const { prefill, decode, slowdown } = await learned(fleet, at)
    expect(timesOff(prefill, share * fastestCost.prefillTokensPerSecond), `prefill of host ${at}`).toBeLessThan(1.3)
    expect(timesOff(decode, share * fastestCost.decodeTokensPerSecond), `decode of host ${at}`).toBeLessThan(1.3)
    // Less than it is: those that are still being read count as well, and do not slow down the doubles.
    expect(slowdown, `slowdown of host ${at}`).toBeGreaterThan(0.03)
    expect(slowdown, `slowdown of host ${at}`).toBeLessThan(fastestCost.batchSlowdown + 0.1)
  }
  const [first, second, third] = await Promise.all(shares.map((_, at) => learned(fleet, at)))
  expect(first?.prefill).toBeGreaterThan(second?.prefill ?? Number.POSITIVE_INFINITY)
  expect(second?.prefill).toBeGreaterThan(third?.prefill ?? Number.POSITIVE_INFINITY)
  expect(first?.decode).toBeGreaterThan(second?.decode ?? Number.POSITIVE_INFINITY)
  expect(second?.decode).toBeGreaterThan(third?.decode ?? Number.POSITIVE_INFINITY)
}, 120_000)

it('a host that becomes slow is found out, and gets less to do', async () => {
  const fleet = await unequalFleet([1, 1], { slots: 4 })
  await asked(fleet, { requests: 40, clients: 3 })
  const before = served(fleet, 0)
  fleet.doubles[0]?.setCost(costOf(0.2))
  await asked(fleet, { requests: 40, clients: 3 })
  expect((await learned(fleet, 0)).decode).toBeLessThan((await learned(fleet, 1)).decode / 2)
  expect(served(fleet, 0) - before, 'of 40 requests').toBeLessThan(14)
}, 120_000)

it('whole answers tell how fast a host generates, where their prompts are short', async () => {
  const fleet = await unequalFleet([0.35], { slots: 4 })
  const short: Size = { prompt: [10, 30], answer: [40, 120] }
  await asked(fleet, { requests: 60, clients: 3, size: short, stream: false })
  const { decode, prefill } = await learned(fleet, 0)
  expect(timesOff(decode, 0.35 * fastestCost.decodeTokensPerSecond)).toBeLessThan(1.3)
  // Nothing of how fast it reads: as assumed.
  expect(prefill).toBeCloseTo(800)
}, 120_000)

async function asked(
  fleet: UnequalFleet,
  {
    requests,
    clients,
    size = usual,
    stream = true,
  }: { requests: number; clients: number; size?: Size; stream?: boolean },
): Promise<void> {
  const random = new SeededRandom(11)
  let begun = 0
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (begun++ < requests) {
        await fleet.chat(promptOf(random.between(...size.prompt), `${begun}`), random.between(...size.answer), {
          stream,
        })
      }
    }),
  )
}

interface LearnedFigures {
  readonly prefill: number
  readonly decode: number
  readonly slowdown: number
}

/** As the metrics have it. */
async function learned({ gateway }: UnequalFleet, at: number): Promise<LearnedFigures> {
  const labels = { host: `host-${at}`, model }
  const figure = async (name: string): Promise<number> => (await gateway.metric(name, labels)) ?? Number.NaN
  return {
    prefill: await figure('host_prefill_tokens_per_second'),
    decode: await figure('host_decode_tokens_per_second'),
    slowdown: await figure('host_batch_slowdown'),
  }
}

const served = ({ gateway }: UnequalFleet, at: number): number =>
  gateway.usage.filter(({ host }) => host === `host-${at}`).length

function timesOff(is: number, truth: number): number {
  return Math.max(is / truth, truth / is)
}
