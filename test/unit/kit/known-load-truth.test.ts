/** The truth that rules are held against, of loads that are small enough to be worked out by hand. */
import { expect, it } from 'vitest'
import type { KnownRequest } from '../../kit/known-load/known-request.ts'
import { meanBatch, type Span, streamSpeed } from '../../kit/known-load/truth.ts'

const minute: Span = { fromMs: 0, toMs: 60_000, slackMs: 0 }

function request(id: number, differing: Partial<KnownRequest> = {}): KnownRequest {
  const sentMs = 1_000 * id
  return {
    id,
    kind: 'chat_stream',
    model: 'm',
    key: 'k',
    sentMs,
    firstContentMs: sentMs + 10,
    endedMs: sentMs + 500,
    status: 200,
    host: 'h',
    arrivedMs: sentMs,
    tokensAtMs: [],
    hostEndedMs: sentMs + 500,
    ...differing,
  }
}

it('the speed of streams is the pace that was set, however few tokens each has and however late it ends', () => {
  const short = [1, 2, 3].map((id) =>
    request(id, { tokensAtMs: [0, 25, 50, 75, 100, 125].map((ms) => 1_000 * id + ms) }),
  )
  expect(streamSpeed(short, minute)).toEqual({ least: 40, most: 40 })
})

it('answers at once are counted over all models of a host, from first content or, of a whole answer, from its arrival', () => {
  const stream = request(1, { tokensAtMs: [1_000, 2_000], hostEndedMs: 3_000 })
  const beside = request(1, { model: 'other', tokensAtMs: [1_000], hostEndedMs: 3_000 })
  const whole = request(5, { kind: 'whole', arrivedMs: 5_000, tokensAtMs: [6_000], hostEndedMs: 6_000 })
  const runsOn = request(59, { tokensAtMs: [59_000], hostEndedMs: null })
  expect(meanBatch([whole, stream, beside], minute)).toEqual({ least: 5 / 3, most: 5 / 3 })
  expect(meanBatch([runsOn, beside], minute)).toEqual({ least: 1, most: 1 })
})
