/** What a gateway says to the store of limits that it shares with others: in batches, in order, in time, and once. */
import { expect, test } from 'vitest'
import { Reservation } from '../../../src/access/reservation.ts'
import { admitted, laneOf } from './limit-lane-parts.ts'
import { keyOf, used } from './limiter-parts.ts'

test('what is asked in one turn is one batch, and what comes while it is answered is the next', async () => {
  const { clock, calls, ask, answers, events } = laneOf()
  ask()
  ask()
  await clock.advance(0)
  ask()
  await clock.advance(1)
  expect(calls.map(({ batch }) => batch.asks.length)).toEqual([2])
  await calls[0]?.answer([admitted, { wait: 5, limit: 'tokensPerDay', cost: 10, account: 0 }])
  expect(calls.map(({ batch }) => batch.asks.length)).toEqual([2, 1])
  await calls[1]?.answer([admitted])
  expect(answers).toEqual([expect.any(Reservation), 'tokensPerDay', expect.any(Reservation)])
  expect(events).toEqual(['shared', 'shared', 'shared'])
})

test('whoever waited for one batch before waits that much less for its own', async () => {
  const { clock, calls, ask } = laneOf()
  ask()
  await clock.advance(0)
  ask()
  await clock.advance(30)
  await calls[0]?.answer([admitted])
  expect(calls.map(({ answerMsMax }) => answerMsMax)).toEqual([50, 20])
})

test('where nobody answers, all that wait are decided here, by a share', async () => {
  const { clock, calls, ask, answers, events } = laneOf(4)
  for (let i = 0; i < 3; i++) ask()
  await clock.advance(0)
  ask()
  await calls[0]?.fail()
  // Of eight at once a quarter is for each of four gateways.
  expect(answers.map((answer) => answer instanceof Reservation)).toEqual([true, true, false, false])
  expect(events).toEqual(['local', 'local', 'local', 'local'])
})

test('while limits are not shared nobody is asked', async () => {
  const { clock, calls, ask, answers, fleet } = laneOf()
  fleet.isShared = false
  ask()
  expect(answers).toEqual([expect.any(Reservation)])
  await clock.advance(10_000)
  expect(calls).toEqual([])
})

test('an ask that changed its mind before it was sent is not sent, and hears nothing', async () => {
  const { clock, calls, ask, answers } = laneOf()
  let isStill = true
  ask(() => isStill)
  isStill = false
  await clock.advance(100)
  expect(calls).toEqual([])
  expect(answers).toEqual(['asked'])
})

test('what a request took and gives back goes with the next ask, or soon', async () => {
  const { clock, calls, ask, reservation } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.answer([admitted])
  reservation(0).topUp(20)
  await clock.advance(1)
  ask()
  await clock.advance(0)
  expect(calls[1]?.batch.changes.map(({ periods }) => periods.map(([, , , , tokens]) => tokens))).toEqual([[256, 256]])
  await calls[1]?.answer([admitted])
  reservation(0).settle(used(10, 90))
  await clock.advance(5)
  expect(calls[2]?.batch.changes.map(({ periods }) => periods.map(([, , , , tokens]) => tokens))).toEqual([
    [-166, -166],
  ])
  expect(calls[2]?.batch.accounts[0]?.live).toEqual([1, 1])
})

test('a batch of which nobody knows is sent again under its number, without its asks', async () => {
  const { clock, calls, ask, reservation, fleet } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.answer([admitted])
  reservation(0).settle(used(7, 0))
  ask()
  await clock.advance(0)
  await calls[1]?.fail()
  await clock.advance(5)
  const [, first, again] = calls
  expect(again?.batch).toEqual({ ...first?.batch, asks: [] })
  fleet.isShared = true
  await again?.answer()
  await clock.advance(1_000)
  const told = calls.slice(3).flatMap(({ batch }) => batch.changes)
  // What was admitted here meanwhile.
  expect(told.map(({ periods }) => periods[0]?.slice(3, 5))).toEqual([[1, 10]])
})

test('what such a batch was answered at last is undone, as it was decided here', async () => {
  const { clock, calls, ask, events } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.fail()
  await clock.advance(5)
  await calls[1]?.answer([{ held: [{ requestsPerMinute: [5, 1, 77, 1] }] }])
  await clock.advance(1_000)
  const told = calls.slice(2).flatMap(({ batch }) => batch.changes)
  expect(told.map(({ minute }) => minute.requestsPerMinute)).toContainEqual({ give: [[1, 77]] })
  expect(told.map(({ periods }) => periods[0]?.slice(3, 5))).toContainEqual([-1, -10])
  expect(events).toEqual(['local', 'undone'])
})

test('what was charged while others could not be told is told by and by, summed up, once', async () => {
  const { clock, calls, ask, fleet, reservation, lane } = laneOf(1)
  fleet.isShared = false
  for (let i = 0; i < 3; i++) ask()
  reservation(0).settle(used(4, 0))
  reservation(1).topUp(1)
  await clock.advance(60_000)
  expect(calls).toEqual([])
  expect(lane.waiting).toBe(1)
  fleet.isShared = true
  await clock.advance(1_000)
  expect(calls[0]?.batch.changes.map(({ periods }) => periods[0]?.slice(3, 5))).toEqual([[3, 4 + 266 + 10]])
  expect(calls[0]?.batch.accounts[0]?.live).toEqual([2, 2])
  await calls[0]?.answer()
  expect(lane.waiting).toBe(0)
  await clock.advance(3_000)
  expect(calls.slice(1).flatMap(({ batch }) => batch.changes)).toEqual([])
})

test('a batch that was refused as a whole is kept, and told later', async () => {
  const { clock, calls, ask, reservation, fleet } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.answer([admitted])
  reservation(0).settle(used(7, 0))
  await clock.advance(5)
  fleet.isShared = false
  await calls[1]?.refuse()
  await clock.advance(2_000)
  fleet.isShared = true
  await clock.advance(1_000)
  expect(calls[2]?.batch.changes.map(({ periods }) => periods[0]?.slice(3, 5))).toEqual([[0, -3]])
})

test('when the store was emptied, all that is known of accounts is told at once, and charged once', async () => {
  const { clock, calls, ask, reservation, begin, fleet } = laneOf()
  ask()
  await clock.advance(0)
  const day = calls[0]?.batch.asks[0]?.day ?? ['', 0]
  await calls[0]?.answer([admitted], [{ minute: {}, day: [[...day, 1, 10]] }])
  reservation(0).settle(used(7, 0))
  fleet.isShared = false
  begin()
  await clock.advance(2)
  const [, told] = calls
  expect(told?.batch).toMatchObject({ tells: true, asks: [], changes: [] })
  // The request was charged here when it was told of, and what it gave back is in it.
  expect(told?.batch.accounts[0]?.seed?.day?.[0]?.slice(2)).toEqual([1, 7])
  await told?.answer()
  await clock.advance(1_000)
  fleet.isShared = true
  await clock.advance(2_000)
  expect(calls.slice(2).flatMap(({ batch }) => batch.changes)).toEqual([])
})

test('how many run at once is said again now and then, whatever was said', async () => {
  const { clock, calls, ask } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.answer([admitted])
  await clock.advance(11_000)
  const again = calls.slice(1)
  expect(again[0]?.batch.accounts[0]?.live).toEqual([1, 1])
})

test('at its end a gateway tells what is not told yet', async () => {
  const { clock, calls, ask, reservation, lane } = laneOf()
  ask()
  await clock.advance(0)
  await calls[0]?.answer([admitted])
  reservation(0).settle(used(7, 0))
  const stopped = lane.stop()
  await clock.advance(0)
  await calls[1]?.answer()
  await stopped
  expect(calls[1]?.batch.changes).toHaveLength(1)
  expect(clock.pendingTimers).toBe(0)
})

test('what is charged while all is told anew keeps nothing else from being told', async () => {
  const { clock, calls, ask, lane, fleet, begin } = laneOf()
  fleet.isShared = false
  const told = new Set<string>()
  const asked = (count: number) => {
    for (let id = 0; id < count; id++) ask(() => true, keyOf({ tokensPerDay: 1_000 }, null, `key-${id}`))
  }
  asked(250)
  begin()
  asked(100)
  for (let sent = 0; !lane.hasTold; sent++) {
    for (const { id } of calls[sent]?.batch.accounts ?? []) told.add(id)
    await calls[sent]?.answer()
    await clock.advance(1)
  }
  expect(told.size).toBe(250)
})

test('after the store was emptied it has told all once each account was, though a batch fails, and what is found out meanwhile too', async () => {
  const { clock, calls, ask, lane, fleet, begin } = laneOf()
  const asked = (id: number) => ask(() => true, keyOf({ tokensPerDay: 1_000 }, null, `key-${id}`))
  fleet.isShared = false
  for (let id = 0; id < 250; id++) asked(id)
  expect(lane.hasTold).toBe(true)
  begin()
  const told = new Set<string>()
  let sent = 0
  const answerAll = async () => {
    for (; !lane.hasTold && sent < 20; sent++) {
      expect(calls.length).toBe(sent + 1)
      const call = calls[sent]
      if (sent % 3 === 1) await call?.fail()
      else {
        for (const { id } of call?.batch.accounts ?? []) told.add(id)
        await call?.answer()
      }
      if (sent === 0) asked(250)
      if (sent === 0) lane.tellMore()
      await clock.advance(100)
    }
  }
  await answerAll()
  expect([told.size, sent, lane.hasTold]).toEqual([251, 4, true])
  asked(251)
  lane.tellMore()
  expect(lane.hasTold).toBe(false)
  await clock.advance(0)
  await answerAll()
  expect([told.size, lane.hasTold]).toEqual([252, true])
  void lane.stop()
  expect(clock.pendingTimers).toBe(0)
})
