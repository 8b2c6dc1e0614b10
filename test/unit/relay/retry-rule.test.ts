import { describe, expect, test } from 'vitest'
import type { FailureCause } from '../../../src/relay/failure.ts'
import { type FailedAttempt, type RetryDecision, retryRule } from '../../../src/relay/retry-rule.ts'

/** A first attempt at a stateless generation, before content, on a connection that was new. */
const first: Omit<FailedAttempt, 'cause'> = {
  answered: false,
  reusedSocket: false,
  sinceSentMs: 500,
  fresh: false,
  contentSent: false,
  repeatable: true,
  hostsFailed: 1,
}

interface Row {
  /** A generation that keeps nothing. */
  readonly stateless: RetryDecision
  /** What remembers, or uses tools. */
  readonly stateful: RetryDecision
}

const table: Readonly<Record<FailureCause, Row>> = {
  never_connected: { stateless: 'other_host', stateful: 'other_host' },
  connect_timed_out: { stateless: 'other_host', stateful: 'other_host' },
  model_missing: { stateless: 'other_host', stateful: 'other_host' },
  not_offered: { stateless: 'other_host', stateful: 'other_host' },
  key_refused: { stateless: 'other_host', stateful: 'other_host' },
  not_allowed: { stateless: 'other_host', stateful: 'other_host' },
  busy: { stateless: 'back_in_line', stateful: 'back_in_line' },
  told_busy: { stateless: 'back_in_line', stateful: 'none' },
  connection_lost: { stateless: 'other_host_on_budget', stateful: 'none' },
  bad_gateway: { stateless: 'other_host_on_budget', stateful: 'none' },
  told_error: { stateless: 'other_host_on_budget', stateful: 'none' },
  timed_out: { stateless: 'none', stateful: 'none' },
  host_error: { stateless: 'none', stateful: 'none' },
  bad_answer: { stateless: 'none', stateful: 'none' },
  client_slow: { stateless: 'none', stateful: 'none' },
  over_bound: { stateless: 'none', stateful: 'none' },
  rejected: { stateless: 'none', stateful: 'none' },
  aborted: { stateless: 'none', stateful: 'none' },
}

const causes = Object.keys(table) as FailureCause[]
const race = { reusedSocket: true, answered: false, sinceSentMs: 999 }

describe('retryRule', () => {
  test.each(causes)('after %s', (cause) => {
    expect(retryRule({ ...first, cause })).toBe(table[cause].stateless)
    expect(retryRule({ ...first, cause, repeatable: false })).toBe(table[cause].stateful)
  })

  test.each(causes)('after %s, once content went out, there is none', (cause) => {
    for (const more of [{}, race, { repeatable: false }]) {
      expect(retryRule({ ...first, ...more, cause, contentSent: true })).toBe('none')
    }
  })

  test.each(causes)('after %s at a second host, there is no third', (cause) => {
    const wanted = cause === 'busy' || cause === 'told_busy' ? 'back_in_line' : 'none'
    expect(retryRule({ ...first, cause, hostsFailed: 2 })).toBe(wanted)
  })

  test('that a byte of an answer came changes nothing but the race', () => {
    for (const cause of causes) expect(retryRule({ ...first, cause, answered: true })).toBe(table[cause].stateless)
  })
})

describe('a kept connection that was gone when we wrote', () => {
  const lost = { ...first, ...race, cause: 'connection_lost' } as const

  test.each([
    [true, 999],
    [false, 99],
  ])('is no attempt of the host: once more on a fresh one (repeatable %s, %i ms)', (repeatable, sinceSentMs) => {
    expect(retryRule({ ...lost, repeatable, sinceSentMs })).toBe('fresh_connection')
    expect(retryRule({ ...lost, repeatable, sinceSentMs: null })).toBe('fresh_connection')
    expect(retryRule({ ...lost, repeatable, sinceSentMs, hostsFailed: 2 })).toBe('fresh_connection')
    expect(retryRule({ ...lost, repeatable, sinceSentMs: sinceSentMs + 1 })).not.toBe('fresh_connection')
  })

  test.each<[string, Partial<FailedAttempt>]>([
    ['after a second the host had begun', { sinceSentMs: 1_000 }],
    ['a byte of an answer came', { answered: true }],
    ['the connection was new', { reusedSocket: false }],
    ['it was the fresh one', { fresh: true }],
  ])('not when %s', (_what, more) => {
    expect(retryRule({ ...lost, ...more })).toBe('other_host_on_budget')
    expect(retryRule({ ...lost, ...more, repeatable: false })).toBe('none')
  })

  test.each(causes.filter((cause) => cause !== 'connection_lost'))('is not seen in %s', (cause) => {
    expect(retryRule({ ...first, ...race, cause })).toBe(table[cause].stateless)
  })
})
