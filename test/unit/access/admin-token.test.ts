import { expect, test } from 'vitest'
import { isAdminToken, newAdminToken, replaceAdminToken } from '../../../src/access/admin-token.ts'
import { digestOf, newKey } from '../../../src/access/api-key.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { MemoryKeys } from '../../kit/memory-keys.ts'

test('a token has 256 random bits, and opens by its digest only', () => {
  const { token, digest } = newAdminToken()
  expect(token.reveal()).toMatch(/^lmx_admin_[0-9A-Za-z]{43}$/)
  expect(newAdminToken().digest).not.toBe(digest)
  expect(isAdminToken(token.reveal(), digest)).toBe(true)
  expect(isAdminToken(`${token.reveal()}0`, digest)).toBe(false)
  expect(isAdminToken(digest, digest)).toBe(false)
})

test.each([
  ['no digest', null],
  ['an empty one', ''],
  ['a damaged one', 'zz'],
  ['half a one', digestOf('').slice(0, 32)],
])('with %s nothing is the token', (_what, stored) => {
  for (const text of ['', 'admin', newKey().key.reveal(), newAdminToken().token.reveal()])
    expect(isAdminToken(text, stored)).toBe(false)
})

test('a new one replaces the old at once, with a line in the audit trail that says nothing of it', async () => {
  const store = new MemoryKeys()
  const clock = new FakeClock()
  const first = await replaceAdminToken(store, { clock, actor: 'gateway', action: 'admin-token.create' })
  const second = await replaceAdminToken(store, { clock, actor: 'cli ada', action: 'admin-token.rotate' })
  expect(isAdminToken(first.reveal(), store.adminTokenDigest)).toBe(false)
  expect(isAdminToken(second.reveal(), store.adminTokenDigest)).toBe(true)
  expect(store.trail).toEqual([
    { atMs: clock.wallMs(), actor: 'gateway', action: 'admin-token.create', keyId: null, keyName: null, detail: {} },
    { atMs: clock.wallMs(), actor: 'cli ada', action: 'admin-token.rotate', keyId: null, keyName: null, detail: {} },
  ])
})
