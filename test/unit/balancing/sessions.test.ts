/** Where what a client names was last. */
import { expect, it } from 'vitest'
import type { Ask } from '../../../src/balancing/policy.ts'
import type { Prompt } from '../../../src/balancing/prompt.ts'
import { Sessions } from '../../../src/balancing/sessions.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'

const [a, b] = [knownHost('a'), knownHost('b')]
const print = { digests: [1], ends: [1], bytes: 1, commonCount: 0, owner: 'ann' }
const ask = (prompt: Partial<Prompt>, model = 'm') =>
  askFor({ model, prompt: { session: null, print: null, ...prompt } })
const isLast = (sessions: Sessions, host: Host, of: Ask): boolean => sessions.lastAt(of) === host

it('a conversation was last where it was sent last, and nowhere else', () => {
  const sessions = new Sessions()
  const one = ask({ session: 'one', print })
  expect(isLast(sessions, a, one)).toBe(false)
  sessions.remember(a, one)
  sessions.remember(b, ask({ session: 'two' }))
  expect([isLast(sessions, a, one), isLast(sessions, b, one)]).toEqual([true, false])
  sessions.remember(b, one)
  expect([isLast(sessions, a, one), isLast(sessions, b, one)]).toEqual([false, true])
  expect(isLast(sessions, b, ask({ session: 'one' }, 'other'))).toBe(false)
})

it('who has many conversations is known by their prompts, and only without any by name', () => {
  const sessions = new Sessions()
  sessions.remember(a, ask({ person: 'ann' }))
  expect(isLast(sessions, a, ask({ person: 'ann' }))).toBe(true)
  expect(isLast(sessions, a, ask({ person: 'ann', print }))).toBe(false)
  expect(isLast(sessions, a, ask({ person: 'ann', session: 'new' }))).toBe(false)
  // Nor is a name of one sort one of the other.
  expect(isLast(sessions, a, ask({ session: 'ann' }))).toBe(false)
  expect(isLast(sessions, a, ask({}))).toBe(false)
})

it('of twenty thousand names the oldest goes first', () => {
  const sessions = new Sessions()
  for (let at = 0; at <= 20_000; at++) sessions.remember(a, ask({ session: `s${at}` }))
  expect([0, 1, 20_000].map((at) => isLast(sessions, a, ask({ session: `s${at}` })))).toEqual([false, true, true])
})

it('a host that takes the place of one that was removed has none of its conversations', async () => {
  const sessions = new Sessions()
  const old = knownHost('old')
  sessions.remember(old, ask({ session: 'one' }))
  await old.close()
  const next = knownHost('next')
  expect(next.number).toBe(old.number)
  expect(isLast(sessions, next, ask({ session: 'one' }))).toBe(false)
})
