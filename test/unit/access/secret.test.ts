import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../../../src/access/secret.ts'

test('a secret is printed in no way but the one that says so', () => {
  const canary = 'canary-of-a-secret'
  const secret = new Secret(canary)
  const printed = [
    String(secret),
    secret + '',
    [secret].join(' '),
    JSON.stringify({ key: secret }),
    JSON.stringify(Object.entries(secret)),
    inspect({ key: [secret] }, { showHidden: true, depth: null }),
    format('%s %o %O %j', secret, secret, secret, secret),
    new Error('failed', { cause: secret }).stack,
    inspect(new Error('failed', { cause: secret })),
    JSON.stringify(Object.assign({}, secret)),
    JSON.stringify(structuredClone(secret)),
  ]
  for (const text of printed) expect(text).not.toContain(canary)
  expect(String(secret)).toBe('[redacted]')
  expect(secret.reveal()).toBe(canary)
})
