/** Addresses of names: which answer is used when it fails, is late, or changes. */
import type { LookupAddress } from 'node:dns'
import { expect, test } from 'vitest'
import { addressRefusedCode, NameLookup } from '../../../src/hosts/name-lookup.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const first: LookupAddress[] = [{ address: '127.0.0.1', family: 4 }]
const second: LookupAddress[] = [{ address: '127.0.0.2', family: 4 }]
const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND studio.local'), { code: 'ENOTFOUND' })

type Pending = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/** A name server whose answers the test gives, and whoever asked it. */
function named() {
  const clock = new FakeClock()
  const asked: Pending[] = []
  const { lookup } = new NameLookup((_name, answer) => asked.push(answer), clock)
  return {
    clock,
    asked,
    /** What one connection was told so far. */
    connect: (options = { all: true }): unknown[][] => {
      const told: unknown[][] = []
      lookup('studio.local', options, (...answer) => told.push(answer))
      return told
    },
  }
}

test('each connection asks anew, and a changed address is used at once', () => {
  const { asked, connect } = named()
  const before = connect()
  asked[0]?.(null, first)
  const after = connect()
  expect(after).toEqual([])
  asked[1]?.(null, second)
  expect([before, after]).toEqual([[[null, first]], [[null, second]]])
})

test('a connection that wants one address gets the first, with its family', () => {
  const { asked, connect } = named()
  const told = connect({ all: false })
  asked[0]?.(null, [{ address: '::1', family: 6 }, ...first])
  expect(told).toEqual([[null, '::1', 6]])
})

test('a failure is told where no good answer was ever had', () => {
  const { asked, connect, clock } = named()
  const told = connect()
  const one = connect({ all: false })
  asked[0]?.(notFound, [])
  expect(told).toEqual([[notFound, []]])
  expect(one).toEqual([[notFound, '', undefined]])
  expect(clock.pendingTimers).toBe(0)
})

test('a failure is covered by the last good answer for 60 s', () => {
  const { asked, connect, clock } = named()
  connect()
  asked[0]?.(null, first)
  clock.advanceSync(60_000)
  const covered = connect()
  asked[1]?.(notFound, [])
  expect(covered).toEqual([[null, first]])
  clock.advanceSync(1)
  const tooLate = connect()
  asked[2]?.(notFound, [])
  expect(tooLate).toEqual([[notFound, []]])
})

test('after a second the last good answer is used, at once by those who come later, and the late one by the next', () => {
  const { asked, connect, clock } = named()
  connect()
  asked[0]?.(null, first)
  const waits = connect()
  clock.advanceSync(999)
  expect(waits).toEqual([])
  clock.advanceSync(1)
  expect(waits).toEqual([[null, first]])
  expect(connect()).toEqual([[null, first]])
  asked[1]?.(null, second)
  expect(waits).toEqual([[null, first]])
  const next = connect()
  expect(next).toEqual([])
  asked[2]?.(notFound, [])
  expect(next).toEqual([[null, second]])
})

test('without a good answer the late one is waited for', () => {
  const { asked, connect, clock } = named()
  const told = [connect(), connect()]
  clock.advanceSync(20_000)
  expect(told).toEqual([[], []])
  asked[0]?.(null, first)
  expect(told).toEqual([[[null, first]], [[null, first]]])
})

test('one question is under way at a time, however many connections wait for it', () => {
  const { asked, connect } = named()
  const told = Array.from({ length: 50 }, () => connect())
  expect(asked).toHaveLength(1)
  asked[0]?.(null, first)
  expect(told.every((one) => one.length === 1)).toBe(true)
  connect()
  expect(asked).toHaveLength(2)
})

test('addresses that may not be connected to are left out, also of what was kept; with none left it fails', () => {
  const asked: Pending[] = []
  let allowed = ['127.0.0.1']
  const clock = new FakeClock()
  const { lookup } = new NameLookup(
    (_name, answer) => asked.push(answer),
    clock,
    (address) => allowed.includes(address),
  )
  const connect = (): unknown[][] => {
    const told: unknown[][] = []
    lookup('studio.local', { all: true }, (...answer) => told.push(answer))
    return told
  }
  const both = connect()
  asked[0]?.(null, [...second, ...first])
  expect(both).toEqual([[null, first]])
  const moved = connect()
  asked[1]?.(null, second)
  expect(moved).toEqual([[expect.objectContaining({ code: addressRefusedCode }), []]])
  const kept = connect()
  asked[2]?.(notFound, [])
  expect(kept).toEqual([[expect.objectContaining({ code: addressRefusedCode }), []]])
  allowed = ['127.0.0.2']
  const now = connect()
  asked[3]?.(null, second)
  expect(now).toEqual([[null, second]])
})
