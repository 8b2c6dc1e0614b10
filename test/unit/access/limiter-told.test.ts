/** Whoever comes back when it was told to is admitted, whatever limits its key and its team have, if nobody else asked. */
import { expect, test } from 'vitest'
import type { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'
import { type Random, seeded } from './request-sizes.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const asksMax = 120
/** With the last three a claim in the team's allowance grew while the key's own limit kept the request away. */
const seeds = [...Array.from({ length: isLong ? 20_000 : 150 }, (_, i) => i + 1), 576, 2_071, 3_793]

interface Running {
  readonly reservation: Reservation
  readonly endsMs: number
  readonly input: number
  readonly output: number
}

function settleEnded(running: readonly Running[], random: Random): void {
  for (const { reservation, input, output } of running) {
    reservation.topUp(output)
    const isUsed = random() >= 0.2
    reservation.settle(isUsed ? used(input, output, random() < 0.2 ? input : 0) : null, random() < 0.3)
  }
}

function limitsOf(random: Random, perMinute: number, requestsPerMinute: number) {
  const tokensPerMinute = perMinute
  return random() < 0.3 ? { tokensPerMinute, requestsPerMinute } : { tokensPerMinute }
}

/** Three keys that ask at random, until a refused one comes back when told; null where none was. */
function comesBackAsTold(seed: number): { readonly admitted: boolean } | null {
  const random = seeded(seed)
  const perMinute = [100, 1_000, 60_000][Math.floor(random() * 3)]!
  const team = random() < 0.7 ? 't' : null
  const { clock, ask } = limiterOf({}, team === null ? {} : { [team]: limitsOf(random, perMinute, 30) })
  const keys = ['a', 'b', 'c'].map((id) =>
    keyOf(random() < 0.5 ? limitsOf(random, perMinute * (0.5 + random()), 7) : {}, team, id),
  )
  let running: Running[] = []
  for (let asks = 0; asks < asksMax; asks++) {
    clock.advanceSync(Math.floor(random() * random() * 8_000))
    settleEnded(
      running.filter(({ endsMs }) => endsMs <= clock.now()),
      random,
    )
    running = running.filter(({ endsMs }) => endsMs > clock.now())
    const key = keys[Math.floor(random() * keys.length)]!
    const input = Math.ceil(perMinute * random() * random() * (random() < 0.1 ? 2 : 0.3))
    const output = Math.ceil(perMinute * random() * random() * 0.2)
    const answer = ask(key, input, output)
    if (!(answer instanceof GatewayError)) {
      const endsMs = clock.now() + random() * 90_000
      const really = { input: Math.ceil(input * random() * 1.2), output: Math.ceil(output * random() * 2) }
      running.push({ reservation: answer, endsMs, ...really })
    } else if (asks > 60 && random() < 0.15) {
      clock.advanceSync(answer.retryAfterMs ?? 0)
      return { admitted: !(ask(key, input, output) instanceof GatewayError) }
    }
  }
  return null
}

test('who comes back when told to is admitted, if nobody else was charged meanwhile', () => {
  const cameBack = seeds.flatMap((seed) => {
    const end = comesBackAsTold(seed)
    return end === null ? [] : [{ seed, ...end }]
  })
  expect(cameBack.length).toBeGreaterThan(100)
  expect(cameBack.filter(({ admitted }) => !admitted)).toEqual([])
}, 60_000)
