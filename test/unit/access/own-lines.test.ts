/** Requests whose limits are asked of all gateways together: who waits, in which order, and what becomes of who goes away. */
import { expect, test } from 'vitest'
import { OwnLines } from '../../../src/access/own-lines.ts'
import type { Reservation } from '../../../src/access/reservation.ts'
import type { AskAnswer } from '../../../src/access/shared-limits.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { admitted, key, laneOf } from './limit-lane-parts.ts'

const later = (wait: number): AskAnswer => ({ wait, limit: 'tokensPerDay', cost: 10, account: 0 })

function linesOf() {
  const { clock, calls, limiter, fleet } = laneOf()
  const lines = new OwnLines({
    clock,
    limiter,
    waitMsMax: 60_000,
    lengthMax: 100,
    mayWait: () => true,
    hasRoom: () => true,
  })
  const ended: string[] = []
  const reservations = new Map<string, Reservation>()
  const enter = (name: string, ofClass: RequestClass = 'default', patienceMs = 30_000) =>
    lines.enter({
      holder: 'AAAAAAAA',
      subject: () => key,
      cost: { requests: 1, input: 10, output: 0 },
      class: ofClass,
      patienceMs,
      admitted: (reservation) => {
        ended.push(name)
        reservations.set(name, reservation)
      },
      refused: (error: GatewayError) => void ended.push(`${name} ${error.code}`),
      left: () => void ended.push(`${name} left`),
    })
  const asked = () => calls.map(({ batch }) => batch.asks.map(({ placed = 0 }) => placed))
  return { clock, calls, lines, ended, reservations, enter, asked, limiter, fleet }
}

test('is admitted when all gateways say so, and not before', async () => {
  const { clock, calls, ended, enter } = linesOf()
  enter('one')
  await clock.advance(1)
  expect(ended).toEqual([])
  await calls[0]?.answer([admitted])
  expect(ended).toEqual(['one'])
})

test('waits where it was told to, asks again then, and goes before those that came later', async () => {
  const { clock, calls, ended, enter, asked, lines } = linesOf()
  enter('one')
  await clock.advance(0)
  enter('two')
  await calls[0]?.answer([later(1_000)])
  expect(lines.waiting.requests).toBe(2)
  expect(asked().flat()).toEqual([0])
  await clock.advance(999)
  expect(calls.flatMap(({ batch }) => batch.asks)).toHaveLength(1)
  for (const call of calls.slice(1)) await call.answer()
  await clock.advance(1)
  const again = calls.at(-1)
  expect(again?.batch.asks).toMatchObject([{ placed: 1, patience: 29_000 }])
  await again?.answer([admitted])
  await clock.advance(0)
  await calls.at(-1)?.answer([admitted])
  expect(ended).toEqual(['one', 'two'])
})

test('a more urgent one that came while the first was asked goes first from then on', async () => {
  const { clock, calls, ended, enter } = linesOf()
  enter('bulk', 'bulk')
  await clock.advance(0)
  await calls[0]?.answer([later(10)])
  await clock.advance(5)
  await calls[1]?.answer()
  enter('interactive', 'interactive')
  await clock.advance(0)
  await calls.at(-1)?.answer([admitted])
  expect(ended).toEqual(['interactive'])
  await clock.advance(10)
  for (const call of calls.slice(3)) await call.answer([admitted])
  expect(ended).toEqual(['interactive', 'bulk'])
})

test('of those that came together the one behind is not asked again before the first', async () => {
  const { clock, calls, ended, enter, lines } = linesOf()
  enter('one')
  enter('two')
  await clock.advance(0)
  await calls[0]?.answer([later(1_000), { behind: true }])
  expect(lines.waiting.requests).toBe(2)
  expect(ended).toEqual([])
})

test('one that was behind somebody who did not begin to wait is asked anew', async () => {
  const { clock, calls, ended, enter } = linesOf()
  enter('one')
  enter('two')
  await clock.advance(0)
  await calls[0]?.answer([later(90_000), { behind: true }])
  expect(ended).toEqual(['one quota_exceeded'])
  await clock.advance(0)
  await calls.at(-1)?.answer([admitted])
  expect(ended).toEqual(['one quota_exceeded', 'two'])
})

test('who leaves before the answer has nothing of it, and what it was given goes back', async () => {
  const { clock, calls, ended, enter, limiter } = linesOf()
  const turn = enter('one')
  expect(turn.estimate()).toBeNull()
  await clock.advance(0)
  turn.leave()
  await calls[0]?.answer([admitted])
  await clock.advance(5)
  expect(ended).toEqual([])
  expect(calls[1]?.batch.changes.map(({ periods }) => periods[0]?.slice(3, 5))).toEqual([[-1, -10]])
  expect(limiter.placesOf(key).full()).toBeNull()
  expect(calls[1]?.batch.accounts[0]?.live).toEqual([0, 0])
})

test('who leaves before it is sent is not sent', async () => {
  const { clock, calls, enter } = linesOf()
  enter('one').leave()
  await clock.advance(100)
  expect(calls).toEqual([])
})

test('who waits and leaves while it is asked for leaves nothing behind', async () => {
  const { clock, calls, ended, enter } = linesOf()
  const turn = enter('one')
  await clock.advance(0)
  await calls[0]?.answer([later(10)])
  await clock.advance(5)
  await calls[1]?.answer()
  await clock.advance(5)
  turn.leave()
  await calls.at(-1)?.answer([admitted])
  await clock.advance(5)
  expect(ended).toEqual(['one left'])
  expect(calls.at(-1)?.batch.accounts[0]?.live).toEqual([0, 0])
})

test('at the end of its patience all are asked once more, and it is refused with what they say', async () => {
  const { clock, calls, ended, enter } = linesOf()
  enter('one', 'default', 500)
  await clock.advance(0)
  await calls[0]?.answer([later(400)])
  await clock.advance(5)
  await calls[1]?.answer()
  await clock.advance(395)
  await calls[2]?.answer([later(50)])
  await clock.advance(50)
  await calls[3]?.answer([later(1_000)])
  expect(ended).toEqual(['one quota_exceeded'])
})

test('where nobody answers each decides by its share, and who waits goes on waiting', async () => {
  const { clock, calls, ended, enter, fleet } = linesOf()
  enter('one')
  await clock.advance(0)
  await calls[0]?.answer([later(1_000)])
  await clock.advance(5)
  await calls[1]?.answer()
  fleet.isShared = false
  await clock.advance(1_000)
  expect(ended).toEqual(['one'])
})
