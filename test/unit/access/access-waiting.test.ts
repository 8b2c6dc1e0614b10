/** A caller whose request waits for its key's limits, at the door: what changes of the key holds for it, too. */
import { expect, test } from 'vitest'
import { Access } from '../../../src/access/access.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import { noMetrics } from '../../../src/observe/metrics.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { sampleKey } from './sample-key.ts'

const { record, text } = sampleKey({ name: 'alice', limits: { requestsPerMinute: 1 } })

function given(waitMsMax?: number) {
  const clock = new FakeClock()
  const leaves: (() => void)[] = []
  const access = new Access({
    clock,
    limits: limitsOptions.parse({ waitMsMax }),
    teams: {},
    allowAnonymous: false,
    events: noMetrics,
    chance: () => 0,
    waitingMax: 10,
    mayWait: () => true,
    hasRoom: () => true,
    // As the relay does, which ends what waits under the key.
    onRevoked: () => {
      for (const leave of leaves) leave()
    },
  })
  access.apply({ keys: [record], keysEverCreated: true })
  const asked: { admittedAtMs: number | null; error: GatewayError | null; settle: () => void }[] = []
  const ask = () => {
    const caller = access.callerOf({ headers: { authorization: `Bearer ${text}` }, target: '/', address: '192.0.2.1' })
    const one: (typeof asked)[number] = { admittedAtMs: null, error: null, settle: () => {} }
    const body = Buffer.from('{"model":"m"}')
    const bounds = { maxOutputTokens: null, leastOutputTokens: null, choices: 1 }
    const turn = caller.admit(
      { model: 'm', endpoint: 'chat_completions', body, ...bounds },
      {
        class: caller.class,
        patienceMs: 60_000,
        admitted: (admission) => {
          one.admittedAtMs = clock.now()
          one.settle = () => admission.settle(null, { reported: false, blameless: false })
        },
        refused: (error) => {
          one.error = error
        },
      },
    )
    leaves.push(() => turn.leave())
    return one
  }
  const change = (changes: Partial<KeyRecord>) =>
    access.apply({ keys: [{ ...record, ...changes, revision: 2 }], keysEverCreated: true })
  return { clock, ask, change }
}

test('one that gets more from its administrator while it waits is admitted at once', () => {
  const { clock, ask, change } = given()
  ask()
  const waiting = ask()
  clock.advanceSync(5_000)
  expect(waiting.admittedAtMs).toBeNull()
  change({ limits: { requestsPerMinute: 60 } })
  clock.advanceSync(0)
  expect(waiting.admittedAtMs).toBe(clock.now())
})

test('one that is told of a change of another part of its key waits on for the same time', () => {
  const { clock, ask, change } = given()
  ask()
  const waiting = ask()
  clock.advanceSync(5_000)
  change({ name: 'bob' })
  clock.advanceSync(54_999)
  expect(waiting.admittedAtMs).toBeNull()
  clock.advanceSync(1)
  expect(waiting.admittedAtMs).toBe(clock.now())
})

test('none of those whose key is revoked while they wait is admitted', () => {
  const { clock, ask, change } = given()
  ask()
  const waiting = [ask(), ask(), ask()]
  change({ limits: {}, revokedAtMs: clock.wallMs(), secrets: [] })
  clock.advanceSync(120_000)
  expect(waiting.filter(({ admittedAtMs }) => admittedAtMs !== null)).toEqual([])
  expect(clock.pendingTimers).toBe(0)
})

test('what one gives back at its end is there for those of its key that wait', () => {
  const { clock, ask } = given()
  const running = ask()
  const waiting = ask()
  clock.advanceSync(5_000)
  running.settle()
  clock.advanceSync(0)
  expect(waiting.admittedAtMs).toBe(clock.now())
})

test.each([
  [59_999, 'rate_limit_exceeded'],
  [0, 'rate_limit_exceeded'],
  [60_000, undefined],
])('where none may wait longer than %d ms, what fits in 60 s: %s', (waitMsMax, code) => {
  const { ask } = given(waitMsMax)
  ask()
  expect(ask().error?.code).toBe(code)
})
