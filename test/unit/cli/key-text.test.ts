import { describe, expect, test } from 'vitest'
import type { KeyView } from '../../../src/access/key-schema.ts'
import { keyListText, keyName, keyText } from '../../../src/cli/key-text.ts'

const key: KeyView = {
  id: 'Ab12Cd34',
  name: 'alice',
  state: 'live',
  team: 'research',
  models: ['a', 'b*', 'c', 'd', 'e'],
  class: 'default',
  weight: 1,
  maxOutputTokens: null,
  limits: { requestsPerMinute: 60, tokensPerMinute: 100_000 },
  tags: { site: 'x' },
  createdAt: '2026-11-01T10:00:00.000Z',
  expiresAt: null,
  revokedAt: null,
  endsStreams: false,
  secrets: [{ expiresAt: null }, { expiresAt: '2026-11-02T10:00:00.000Z' }],
  revision: 2,
}
const bare: KeyView = { ...key, id: 'Zz99Zz99', name: 'b', team: null, models: null, limits: {}, tags: {}, secrets: [] }

describe('keys for people', () => {
  test('a list has one line a key, in columns', () => {
    const expired: KeyView = { ...bare, state: 'expired', expiresAt: '2026-11-03T00:00:00.000Z' }
    const lines = keyListText([key, { ...bare, expiresAt: '2027-01-01T00:00:00.000Z' }, expired])
    expect(lines.split('\n')).toEqual([
      'id        name   team      state                  models               limits',
      'Ab12Cd34  alice  research  live                   a, b*, c and 2 more  rpm 60, tpm 100,000',
      'Zz99Zz99  b      -         live until 2027-01-01  all                  -',
      'Zz99Zz99  b      -         expired 2026-11-03     all                  -',
    ])
  })

  test('a revoked key says since when', () => {
    const revoked: KeyView = { ...bare, state: 'revoked', revokedAt: '2026-11-03T00:00:00.000Z' }
    expect(keyListText([revoked])).toContain('  revoked 2026-11-03  ')
  })

  test('one key: everything about it', () => {
    const text = keyText(key)
    expect(text).toMatch(/^Requests per minute +60$/m)
    expect(text).toMatch(/^Tokens per minute, prompt and answer together +100,000$/m)
    expect(text).toMatch(/^tags +site=x$/m)
    expect(text).toMatch(/^old secret good until +2026-11-02T10:00:00\.000Z$/m)
    expect(text).toMatch(/^models +a, b\*, c, d, e$/m)
  })

  test('no name steers the terminal', () => {
    const bad = { ...key, name: 'a\u001b[2J\u202eb', team: 'c\nd', models: ['e\u0007'], tags: { f: '\u001b]0;x' } }
    for (const text of [keyListText([bad]), keyText(bad), keyName(bad)]) {
      // oxlint-disable-next-line no-control-regex -- they are what must not be there
      expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
      expect(text).toContain('a?[2J?b')
    }
    expect(keyListText([bad]).split('\n')).toHaveLength(2)
  })
})
