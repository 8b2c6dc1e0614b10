/** The lane of a gateway to a store of limits that a test answers for, on a clock of its own. */
import { LimitLane } from '../../../src/access/limit-lane.ts'
import { Limiter } from '../../../src/access/limiter.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import { Reservation } from '../../../src/access/reservation.ts'
import type { AskAnswer, LimitBatch, LimitReply } from '../../../src/access/shared-limits.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { keyOf } from './limiter-parts.ts'

export interface Call {
  readonly batch: LimitBatch
  readonly answerMsMax: number
  answer(answers?: readonly AskAnswer[], accounts?: LimitReply['accounts']): Promise<void>
  /** Nothing is granted just now. */
  refuse(): Promise<void>
  fail(): Promise<void>
}

export const key = keyOf({ tokensPerDay: 1_000, concurrentRequests: 8 })
const cost = { requests: 1, input: 10, output: 0 }
export const admitted: AskAnswer = { held: [{}] }

export function laneOf(count = 4) {
  const clock = new FakeClock()
  const calls: Call[] = []
  const events: string[] = []
  const begin: (() => void)[] = []
  const fleet = { id: 'own', count, isShared: true, onEpoch: (listener: () => void) => void begin.push(listener) }
  const store = {
    answerMsMax: 50,
    charge: (batch: LimitBatch, answerMsMax: number) =>
      new Promise<LimitReply | null>((resolve, reject) => {
        const then = (end: () => void) => {
          end()
          return clock.advance(0)
        }
        calls.push({
          batch,
          answerMsMax,
          answer: (answers = [], accounts = batch.accounts.map(() => null)) =>
            then(() => resolve({ nowMs: Math.floor(clock.wallMs()), epoch: 'first', answers, accounts })),
          refuse: () => then(() => resolve(null)),
          fail: () => then(() => reject(new Error('no answer in time'))),
        })
      }),
  }
  const lane = new LimitLane({
    clock,
    store,
    fleet,
    chance: () => 0,
    events: {
      limitsAsked: (by) => void events.push(by),
      limitAnswerUndone: () => void events.push('undone'),
    },
  })
  const limiter = new Limiter({ clock, limits: limitsOptions.parse({}), teams: {}, chance: () => 0, lane })
  const answers: (Reservation | string | null)[] = []
  const ask = (isStill = () => true, subject = key) => {
    const at = answers.push('asked') - 1
    const how = { patience: 0, class: 1, newcomer: true as const, isStill }
    limiter.askTogether(subject, cost, how, (answer) => {
      answers[at] = answer instanceof Reservation || answer === null ? answer : answer.limit
    })
  }
  const reservation = (at: number): Reservation => {
    const answer = answers[at]
    if (answer instanceof Reservation) return answer
    throw new Error(`the answer is ${String(answer)}`)
  }
  const left = (limit: string) => limiter.left(key).find((one) => one.limit === limit)?.remaining
  return { clock, calls, events, fleet, lane, limiter, answers, ask, reservation, left, begin: () => begin[0]?.() }
}
