/** Where what a client names was last. */
import { expect, it } from 'vitest'
import type { Prompt } from '../../../src/balancing/prompt.ts'
import { Sessions } from '../../../src/balancing/sessions.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor } from '../../kit/places.ts'

const [a, b] = [knownHost('a'), knownHost('b')]
const print = { digests: [1], ends: [1], bytes: 1, commonCount: 0 }
const ask = (prompt: Partial<Prompt>, model = 'm') =>
  askFor({ model, prompt: { session: null, print: null, ...prompt } })

it('a conversation was last where it was sent last, and nowhere else', () => {
  const sessions = new Sessions()
  const one = ask({ session: 'one', print })
  expect(sessions.isLast(a, one)).toBe(false)
  sessions.remember(a, one)
  sessions.remember(b, ask({ session: 'two' }))
  expect([sessions.isLast(a, one), sessions.isLast(b, one)]).toEqual([true, false])
  sessions.remember(b, one)
  expect([sessions.isLast(a, one), sessions.isLast(b, one)]).toEqual([false, true])
  expect(sessions.isLast(b, ask({ session: 'one' }, 'other'))).toBe(false)
})

it('who has many conversations is known by their prompts, and only without any by name', () => {
  const sessions = new Sessions()
  sessions.remember(a, ask({ person: 'ann' }))
  expect(sessions.isLast(a, ask({ person: 'ann' }))).toBe(true)
  expect(sessions.isLast(a, ask({ person: 'ann', print }))).toBe(false)
  expect(sessions.isLast(a, ask({ person: 'ann', session: 'new' }))).toBe(false)
  // Nor is a name of one sort one of the other.
  expect(sessions.isLast(a, ask({ session: 'ann' }))).toBe(false)
  expect(sessions.isLast(a, ask({}))).toBe(false)
})

it('of twenty thousand names the oldest goes first', () => {
  const sessions = new Sessions()
  for (let at = 0; at <= 20_000; at++) sessions.remember(a, ask({ session: `s${at}` }))
  expect([0, 1, 20_000].map((at) => sessions.isLast(a, ask({ session: `s${at}` })))).toEqual([false, true, true])
})
