import { describe, expect, test } from 'vitest'
import type { FailureKind } from '../../../src/hosts/transport.ts'
import { type RetryDecision, retryRule } from '../../../src/relay/retry-rule.ts'

const hostsTriedMax = 2
const kinds: readonly FailureKind[] = ['connect', 'tls', 'protocol', 'disconnected', 'aborted']
const flags = [false, true]

const failures = kinds.flatMap((kind) =>
  flags.flatMap((answered) =>
    flags.flatMap((reusedSocket) =>
      flags.flatMap((fresh) =>
        [1, hostsTriedMax].flatMap((hostsTried) =>
          [null, 999, 1_000].map((sinceSentMs) => ({ kind, answered, reusedSocket, fresh, hostsTried, sinceSentMs })),
        ),
      ),
    ),
  ),
)

/** The rule in one line of a table each; what is not here is never repeated. */
const repeated: readonly [RetryDecision, Partial<(typeof failures)[number]>][] = [
  ['other_host', { kind: 'connect', hostsTried: 1 }],
  ['other_host', { kind: 'tls', hostsTried: 1 }],
  ['fresh_connection', { kind: 'disconnected', reusedSocket: true, answered: false, fresh: false, sinceSentMs: null }],
  ['fresh_connection', { kind: 'disconnected', reusedSocket: true, answered: false, fresh: false, sinceSentMs: 999 }],
]

describe('retryRule', () => {
  test.each(failures)(
    '$kind, answered $answered, reused $reusedSocket, fresh $fresh, hosts $hostsTried, sent $sinceSentMs ms ago',
    (failure) => {
      const row = repeated.find(([, wanted]) =>
        Object.entries(wanted).every(([key, value]) => failure[key as keyof typeof failure] === value),
      )
      expect(retryRule(failure)).toBe(row?.[0] ?? 'none')
    },
  )

  test('nothing is repeated once a byte of an answer came, unless nothing was ever sent', () => {
    for (const failure of failures.filter(({ answered, kind }) => answered && kind !== 'connect' && kind !== 'tls')) {
      expect(retryRule(failure)).toBe('none')
    }
  })

  test('a request meets two hosts at the most, and one connection more', () => {
    for (const failure of failures.filter(({ hostsTried }) => hostsTried === hostsTriedMax)) {
      expect(retryRule(failure)).not.toBe('other_host')
    }
    for (const failure of failures.filter(({ fresh }) => fresh)) expect(retryRule(failure)).not.toBe('fresh_connection')
  })
})
