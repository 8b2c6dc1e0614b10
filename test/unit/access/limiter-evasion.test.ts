/** Whoever makes the gateway reserve too little pays for it all the same: in the long run a limit is the limit. */
import { describe, expect, it } from 'vitest'
import { Estimates } from '../../../src/access/estimates.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import { keyOf, limiterOf, used } from './limiter-parts.ts'

const tokensPerMinute = 1_000
const minutes = 120
const stepMs = 1_000
const body = Buffer.from('{"model":"m","messages":[{"role":"user","content":"hi"}]}')

interface Tactic {
  readonly output: number
  readonly heldMs: number
  /** The bound that the gateway sees, and the least of those that were sent. */
  readonly bound: number | null
  readonly least: number | null
  /** Five minutes of every ten only answers of one token are asked for, so that little is expected of the others. */
  readonly teaches: boolean
}

interface Running {
  readonly reservation: Reservation
  readonly output: number
  readonly endsMs: number
  readonly learn: (used: { input: number; cachedInput: number; output: number; reasoning: number }) => void
}

/** In multiples of the limit, of a client that sends all it can, sixty at once. */
function usedBy({ output, heldMs, bound, least, teaches }: Tactic): number {
  const { clock, ask } = limiterOf()
  const estimates = new Estimates(10)
  const key = keyOf({ tokensPerMinute })
  const asked = { who: 'k', model: 'm', endpoint: 'chat_completions', body, choices: 1 } as const
  let running: Running[] = []
  let sum = 0
  const settle = ({ reservation, output: generated, learn }: Running) => {
    const figures = used(12, generated)
    reservation.topUp(generated)
    reservation.settle(figures)
    learn(figures)
    sum += 12 + generated
  }
  for (let atMs = 0; atMs < minutes * 60_000; atMs += stepMs) {
    const due = running.filter(({ endsMs }) => endsMs <= atMs)
    running = running.filter(({ endsMs }) => endsMs > atMs)
    for (const one of due) settle(one)
    const isTeaching = teaches && Math.floor(atMs / 300_000) % 2 === 0
    for (let i = 0; i < (isTeaching ? 1 : 60); i++) {
      const { expected, learn } = estimates.expect({ ...asked, maxOutputTokens: bound, leastOutputTokens: least })
      const answer = ask(key, expected.input, expected.output)
      if (answer instanceof GatewayError) break
      running.push({
        reservation: answer,
        learn,
        output: isTeaching ? 1 : output,
        endsMs: isTeaching ? atMs : atMs + heldMs,
      })
    }
    clock.advanceSync(stepMs)
  }
  for (const one of running) settle(one)
  // What is owed in the end was not used for nothing.
  let paidMs = 0
  for (; ask(key, 1, 1) instanceof GatewayError; paidMs += stepMs) clock.advanceSync(stepMs)
  return sum / (minutes + paidMs / 60_000) / tokensPerMinute
}

const tactics = [300, 800, 1_000].flatMap((output) =>
  [0, 20_000].flatMap((heldMs) => [
    { output, heldMs, bound: null, least: 1, teaches: false },
    { output, heldMs, bound: 4_000, least: 4_000, teaches: true },
    { output, heldMs, bound: 4_000, least: 1, teaches: true },
    // A host that reads no bound at all.
    { output, heldMs, bound: 1, least: 1, teaches: false },
  ]),
)

describe('answers no larger than a minute’s limit', () => {
  it.each<Tactic>(tactics)(
    'of $output tokens held $heldMs ms, with a bound of $bound and $least, teaching: $teaches',
    (tactic) => {
      expect(usedBy(tactic)).toBeLessThanOrEqual(1.02)
    },
  )
})

it('of larger ones each pays a minute and a quarter, so that none shuts its key out for hours', () => {
  const share = usedBy({ output: 4_000, heldMs: 20_000, bound: null, least: null, teaches: false })
  expect(share).toBeLessThan(4_012 / 1_250)
})
