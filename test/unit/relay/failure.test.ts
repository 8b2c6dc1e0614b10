import { describe, expect, it, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { AttemptVerdict } from '../../../src/hosts/health.ts'
import { Failure, type FailureCause, truncated } from '../../../src/relay/failure.ts'

const table: Readonly<Record<FailureCause, { kind: AttemptVerdict['kind']; told: boolean }>> = {
  never_connected: { kind: 'neutral', told: false },
  connect_timed_out: { kind: 'neutral', told: false },
  connection_lost: { kind: 'lost', told: false },
  timed_out: { kind: 'failed', told: false },
  busy: { kind: 'busy', told: true },
  told_busy: { kind: 'busy', told: true },
  model_missing: { kind: 'neutral', told: true },
  not_allowed: { kind: 'neutral', told: true },
  not_offered: { kind: 'neutral', told: true },
  key_refused: { kind: 'neutral', told: true },
  bad_gateway: { kind: 'failed', told: true },
  host_error: { kind: 'failed', told: true },
  told_error: { kind: 'failed', told: true },
  bad_answer: { kind: 'failed', told: false },
  client_slow: { kind: 'neutral', told: false },
  over_bound: { kind: 'failed', told: false },
  rejected: { kind: 'neutral', told: true },
  aborted: { kind: 'neutral', told: false },
}

describe('what a failure says about its host', () => {
  test.each(Object.entries(table))('%s', (cause, { kind, told }) => {
    const failure = new Failure(cause as FailureCause, new GatewayError('upstream_bad_response', 'No.'))
    expect([failure.verdict.kind, failure.told]).toEqual([kind, told])
  })

  it('busy, for as long as the host said, and null where it did not: the catalogue knows nothing of hosts', () => {
    const verdictOf = (retryAfterMs?: number) =>
      new Failure(
        'busy',
        new GatewayError('upstream_busy', 'Full.', retryAfterMs === undefined ? {} : { retryAfterMs }),
      ).verdict
    expect(verdictOf(7_000)).toEqual({ kind: 'busy', retryAfterMs: 7_000 })
    expect(verdictOf()).toEqual({ kind: 'busy', retryAfterMs: null })
  })

  it('an end in good order that is none is a lost connection with a name of its own', () => {
    const { cause, error } = truncated()
    expect([cause, error.code, error.kind.status]).toEqual(['connection_lost', 'upstream_truncated', 502])
  })
})
