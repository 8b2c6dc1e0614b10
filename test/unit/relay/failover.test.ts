import { describe, expect, it, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { RetryBudget } from '../../../src/hosts/retry-budget.ts'
import type { AttemptFailure } from '../../../src/relay/attempt.ts'
import type { FailoverPhase } from '../../../src/relay/events.ts'
import { Failover, type FailoverSituation, type Next } from '../../../src/relay/failover.ts'
import { Failure, type FailureCause } from '../../../src/relay/failure.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

const hosts = ['a', 'b', 'c'].map((name) => knownHost(name))
const [a, b] = hosts as [Host, Host, Host]
const race = { reusedSocket: true, answered: false, sinceSentMs: 1 }

function begun({ retries = 3 } = {}) {
  const clock = new FakeClock()
  const budget = new RetryBudget(clock)
  for (let taken = 3; taken > retries; taken--) budget.take(1)
  const dropped: Host[] = []
  const failover = new Failover(budget, (host) => void dropped.push(host))
  const situation = (more: Partial<FailoverSituation> = {}): FailoverSituation => ({
    contentSent: false,
    repeatable: true,
    requestsLive: 1,
    elsewhere: () => hosts.some((host) => !failover.excluded.has(host)),
    ...more,
  })
  const fails = (
    host: Host,
    cause: FailureCause,
    { attempt = {}, ...more }: Partial<FailoverSituation> & { attempt?: Partial<AttemptFailure> } = {},
  ): Next => {
    const failure = new Failure(cause, new GatewayError('upstream_disconnected', 'No.'))
    const failed = { failure, answered: false, reusedSocket: false, code: null, sinceSentMs: 500, ...attempt }
    return failover.next(host, failed, situation(more))
  }
  return { clock, failover, budget, fails, dropped }
}

describe('a host that dropped the request', () => {
  it('is told of, unless it is a kept connection that may have been given up before', () => {
    const { fails, dropped } = begun()
    expect(fails(a, 'connection_lost', { attempt: race })).toBe('fresh_connection')
    expect(dropped).toEqual([])
    fails(a, 'connection_lost', { attempt: race })
    fails(b, 'connection_lost')
    expect(dropped).toEqual([a, b])
  })

  it('so is one that closed a kept connection and cannot be reached afterwards', () => {
    const { fails, dropped } = begun()
    fails(a, 'connection_lost', { attempt: race })
    expect(fails(a, 'never_connected')).toBe('in_line')
    expect(dropped).toEqual([a])
  })

  it.each<FailureCause>(['never_connected', 'host_error', 'timed_out', 'busy', 'bad_answer', 'aborted'])(
    'none is that failed otherwise: %s',
    (cause) => {
      const { fails, dropped } = begun()
      fails(a, cause)
      expect(dropped).toEqual([])
    },
  )
})

describe('another host', () => {
  test.each<[FailureCause, Next, FailoverPhase | null]>([
    ['never_connected', 'in_line', 'connect'],
    ['connect_timed_out', 'in_line', 'connect'],
    ['model_missing', 'in_line', 'refused'],
    ['key_refused', 'in_line', 'refused'],
    ['busy', 'in_line', 'refused'],
    ['connection_lost', 'in_line', 'pre_token'],
    ['bad_gateway', 'in_line', 'pre_token'],
    ['told_error', 'in_line', 'pre_token'],
    ['timed_out', 'none', null],
    ['host_error', 'none', null],
    ['bad_answer', 'none', null],
    ['rejected', 'none', null],
  ])('%s: %s, told as %s', (cause, next, phase) => {
    const { failover, fails } = begun()
    expect([fails(a, cause), failover.phase]).toEqual([next, phase])
  })

  it('is not asked for where there is none; who is busy may be asked again', () => {
    const alone = { elsewhere: () => false }
    for (const cause of ['never_connected', 'connection_lost', 'model_missing'] as const) {
      expect(begun().fails(a, cause, alone)).toBe('none')
    }
    expect(begun().fails(a, 'busy', alone)).toBe('in_line')
  })

  it('is asked once: two hosts may fail, not three', () => {
    const { failover, fails } = begun()
    expect([fails(a, 'connection_lost'), fails(b, 'connection_lost')]).toEqual(['in_line', 'none'])
    expect(failover.excluded).toEqual(new Set([a, b]))
  })

  it('is looked for without those that failed by then: who waits is not kept from one that fails later', () => {
    const { failover, fails } = begun()
    const atFirst = failover.excluded
    fails(a, 'never_connected')
    const then = failover.excluded
    fails(b, 'never_connected')
    expect([atFirst, then, failover.excluded]).toEqual([new Set(), new Set([a]), new Set([a, b])])
    expect(begun().failover.excluded.size).toBe(0)
  })

  it('is not asked once content was sent, whatever happened', () => {
    const { fails } = begun()
    expect(fails(a, 'connection_lost', { contentSent: true })).toBe('none')
    expect(fails(a, 'connection_lost', { contentSent: true, attempt: race })).toBe('none')
  })
})

describe('the budget', () => {
  it('is taken from by what may have been executed alone', () => {
    for (const cause of ['connection_lost', 'bad_gateway', 'told_error'] as const) {
      expect(begun({ retries: 0 }).fails(a, cause)).toBe('none')
    }
    for (const cause of ['never_connected', 'busy', 'model_missing', 'key_refused'] as const) {
      expect(begun({ retries: 0 }).fails(a, cause)).toBe('in_line')
    }
    expect(begun({ retries: 0 }).fails(a, 'connection_lost', { attempt: race })).toBe('fresh_connection')
  })

  it('is left alone where there is no other host, and where the work may not be done twice', () => {
    const { budget, fails } = begun({ retries: 1 })
    expect(fails(a, 'connection_lost', { elsewhere: () => false })).toBe('none')
    expect(fails(a, 'connection_lost', { repeatable: false })).toBe('none')
    expect(budget.take(1)).toBe(true)
  })

  it('of a machine that fell with all it had, each is tried again although nothing is left, but no more than its slots', () => {
    const { clock, budget } = begun({ retries: 1 })
    const host = knownHost('fell', { slots: 4, parts: { clock } })
    const lost = (sinceSentMs: number): Next => {
      const failure = new Failure('connection_lost', new GatewayError('upstream_disconnected', 'No.'))
      const failed = { failure, answered: false, reusedSocket: false, code: null, sinceSentMs }
      const situation = { contentSent: false, repeatable: true, requestsLive: 1, elsewhere: () => true }
      const next = new Failover(budget).next(host, failed, situation)
      host.health.attemptEnded(failure.verdict)
      return next
    }
    clock.advanceSync(10_000)
    expect([500, 2_000, 0, 9_000, 500, 500].map(lost)).toEqual([
      'in_line',
      'in_line',
      'in_line',
      'in_line',
      'in_line',
      'none',
    ])
    host.health.attemptEnded({ kind: 'ok' })
    clock.advanceSync(20_000)
    // One has come back by itself, which pays for one that is owed. What began after the first loss has its own failure.
    expect(lost(500)).toBe('none')
    clock.advanceSync(100)
    expect(lost(99)).toBe('none')
    expect(lost(100)).toBe('in_line')
  })
})

describe('a kept connection that was gone', () => {
  it('is tried once more on one of its own, and then it is a failure of the host', () => {
    const { failover, fails } = begun()
    expect([fails(a, 'connection_lost', { attempt: race }), failover.phase]).toEqual([
      'fresh_connection',
      'reused_socket',
    ])
    expect([fails(a, 'connection_lost', { attempt: race }), failover.phase]).toEqual(['in_line', 'pre_token'])
    expect([fails(b, 'connection_lost', { attempt: race }), failover.phase]).toEqual([
      'fresh_connection',
      'reused_socket',
    ])
    expect(fails(b, 'connection_lost')).toBe('none')
  })

  it('is tried anew after an attempt that was given up for another request', () => {
    const { failover, fails } = begun()
    expect(fails(a, 'connection_lost', { attempt: race })).toBe('fresh_connection')
    failover.gaveBack()
    expect(fails(a, 'connection_lost', { attempt: race })).toBe('fresh_connection')
  })

  it('does not take the host out of the choice: it may yet say that it is busy, and be waited for', () => {
    const { failover, fails } = begun()
    fails(a, 'connection_lost', { attempt: race })
    expect(failover.excluded).toEqual(new Set())
    expect([fails(a, 'busy'), failover.excluded]).toEqual(['in_line', new Set()])
  })
})

describe('a busy host', () => {
  it('stays in the choice, however often it says so: patience is what ends', () => {
    const { failover, fails } = begun()
    for (let times = 0; times < 20; times++) expect(fails(times % 2 === 0 ? a : b, 'busy')).toBe('in_line')
    expect(failover.excluded.size).toBe(0)
  })

  it('keeps the place of a request once; the next time it is behind those who wait', () => {
    const { failover, fails } = begun()
    expect(failover.keepsPlace).toBe(true)
    fails(a, 'busy')
    fails(b, 'busy')
    expect(failover.keepsPlace).toBe(true)
    fails(a, 'busy')
    expect(failover.keepsPlace).toBe(false)
  })

  it('that serves others between is not asked a fourth time: it means this request', () => {
    const host = knownHost('d')
    const { fails } = begun()
    expect([fails(host, 'busy'), fails(host, 'busy')]).toEqual(['in_line', 'in_line'])
    host.health.attemptEnded({ kind: 'ok' })
    expect(fails(host, 'busy')).toBe('none')
    const idle = begun()
    expect([1, 2, 3, 4].map(() => idle.fails(host, 'busy'))).toEqual(['in_line', 'in_line', 'in_line', 'in_line'])
  })

  it('is not counted among the hosts that failed', () => {
    const { fails } = begun()
    expect([fails(a, 'busy'), fails(b, 'connection_lost'), fails(a, 'connection_lost')]).toEqual([
      'in_line',
      'in_line',
      'none',
    ])
  })
})
