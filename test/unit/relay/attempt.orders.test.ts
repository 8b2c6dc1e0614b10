import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from '../../../src/relay/answer-reader.ts'
import { truncated } from '../../../src/relay/failure.ts'
import { attempted, limits, wholeLimits } from './attempted.ts'

describe('in whatever order things happen', () => {
  type Step =
    | 'connect'
    | 'head'
    | 'page'
    | 'refusal'
    | 'end'
    | 'fail'
    | 'abort'
    | 'full'
    | 'resume'
    | `${number} ms`
    | Say
  type Say = 'content' | 'throw' | 'done' | 'give up'

  /** Does as it is told by what it reads, and keeps the rules of a reader. */
  const obedient =
    (clock: Clock) =>
    (head: AnswerHead, sink: AnswerSink): AnswerReader => {
      let isOver = false
      const endWith = (act: () => void) => {
        if (isOver) return
        isOver = true
        act()
      }
      const acts: Record<Say, () => void> = {
        content: () => {
          sink.content(clock.now())
          sink.write(Buffer.from('w'))
        },
        throw: () => {
          throw new Error('a reader failed')
        },
        done: () =>
          endWith(() => {
            sink.expectEnd(50)
            sink.complete()
          }),
        'give up': () => endWith(() => sink.fail(truncated())),
      }
      return {
        isStream: head.mediaType === 'text/event-stream',
        data: (chunk) => acts[chunk.toString() as Say](),
        end: () => acts.done(),
        broke: (failure) => endWith(() => sink.fail(failure)),
      }
    }

  const step = fc.constantFrom<Step>(
    'connect',
    'connect',
    'head',
    'head',
    'page',
    'refusal',
    'content',
    'content',
    'throw',
    'done',
    'give up',
    'end',
    'fail',
    'abort',
    'full',
    'resume',
    '49 ms',
    '100 ms',
    '3000 ms',
    '8000 ms',
    '60000 ms',
  )

  test('it ends in exactly one way, and is over exactly once and last', () => {
    const seen = new Set<string>()
    const property = fc.property(fc.array(step, { maxLength: 12 }), fc.boolean(), (steps, asStream) => {
      const { attempt, clock, owner, trip } = attempted(asStream ? limits : wholeLimits)
      owner.reader = obedient(clock)
      let place = 0
      let givenUp = false
      const play = (one: Step): void => {
        if (one.endsWith(' ms')) clock.advanceSync(Number.parseInt(one, 10))
        else if (one === 'abort') {
          givenUp ||= !owner.endings.some((what) => what !== 'over')
          attempt.abort()
        } else if (one === 'full') owner.clientTakesMore = false
        else if (one === 'resume') {
          owner.clientTakesMore = true
          attempt.resume()
        } else if (!trip.isOver) playHost(one as Exclude<Step, `${number} ms` | 'abort' | 'full' | 'resume'>)
      }
      // A host keeps the order that HTTP gives: connection, head, pieces, one end.
      const playHost = (one: Exclude<Step, `${number} ms` | 'abort' | 'full' | 'resume'>): void => {
        if (one === 'fail') trip.fail({ answered: place === 2 })
        else if (one === 'connect' && place === 0) {
          place = 1
          trip.connect()
        } else if (place === 1 && (one === 'head' || one === 'page' || one === 'refusal')) {
          place = 2
          trip.head(one === 'page' ? 'text/html' : undefined, one === 'refusal' ? 503 : 200)
        } else if (place === 2 && one === 'end') trip.end()
        else if (place === 2 && (one === 'content' || one === 'throw' || one === 'done' || one === 'give up'))
          trip.data(one)
      }
      for (const one of steps) play(one)
      trip.fail()
      const ways = owner.endings.filter((what) => what !== 'over')
      for (const way of ways) seen.add(way)
      expect(ways).toHaveLength(givenUp ? 0 : 1)
      expect(owner.endings.filter((what) => what === 'over')).toHaveLength(1)
      expect(owner.told.at(-1)).toBe('over')
      expect(owner.faults.length).toBe(ways[0] === 'fault' ? 1 : 0)
      expect(clock.pendingTimers).toBe(0)
    })
    fc.assert(property, { numRuns: 1_500, seed: 27 })
    // A play in which nothing of this happened would have shown nothing.
    for (const way of ['completed', 'fault', 'failed upstream_timeout', 'failed upstream_bad_response'])
      expect(seen).toContain(way)
  })
})
