import { describe, expect, test } from 'vitest'
import type { AnswerReader } from '../../../src/relay/answer-reader.ts'
import { attempted, connected, limits, streaming, wholeLimits } from './attempted.ts'
import { content, done, finish, role } from './relayed-stream.ts'

describe('until the connection is there', () => {
  test('a host that accepts at the last moment is waited for', () => {
    const { clock, owner, trip } = attempted()
    clock.advanceSync(limits.connectMsMax - 1)
    trip.connect()
    clock.advanceSync(1)
    expect(owner.told).toEqual(['enter C', 'enter H'])
    expect(trip.calls).toEqual([])
  })

  test('one that does not is given up: as not connected, with the code that names it, and the trip is aborted', () => {
    const { clock, owner, trip } = attempted()
    clock.advanceSync(limits.connectMsMax - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed no_upstream_available', 'over'])
    expect(owner.failures[0]).toMatchObject({
      failure: { cause: 'connect_timed_out' },
      code: 'UND_ERR_CONNECT_TIMEOUT',
      answered: false,
      reusedSocket: false,
      sinceSentMs: null,
    })
    expect(trip.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('a fresh connection is asked for where the attempt is to have one', () => {
    expect(attempted(limits, { fresh: true }).trip.fresh).toBe(true)
    expect(attempted().trip.fresh).toBe(false)
  })

  test.each([
    ['connect', 'ECONNREFUSED', 'no_upstream_available', 'never_connected'],
    ['tls', 'CERT_HAS_EXPIRED', 'upstream_tls_error', 'never_connected'],
    ['protocol', 'HPE_INVALID_CONSTANT', 'upstream_protocol_error', 'bad_answer'],
    ['disconnected', 'UND_ERR_SOCKET', 'upstream_disconnected', 'connection_lost'],
  ] as const)('a trip that fails with %s is told as it was', (kind, code, told, cause) => {
    const { owner, trip, clock } = attempted()
    trip.fail({ kind, code, reusedSocket: true })
    expect(owner.endings).toEqual([`failed ${told}`, 'over'])
    expect(owner.failures[0]).toMatchObject({
      failure: { cause },
      code,
      reusedSocket: true,
      answered: false,
      sinceSentMs: null,
    })
    expect(clock.pendingTimers).toBe(0)
  })

  test('the time since the request was written is told, since a retry depends on it', () => {
    const { owner, trip, clock } = connected()
    clock.advanceSync(1_234)
    trip.fail({ reusedSocket: true })
    expect(owner.failures[0]?.sinceSentMs).toBe(1_234)
  })
})

describe('until the host has the request, where the answer shows no content', () => {
  test('a host that has not taken all of it in time is given up', () => {
    const { clock, owner, trip } = connected(wholeLimits)
    trip.unsent = 1
    clock.advanceSync(limits.sendMsMax - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    expect(trip.aborted).toBe(true)
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['failed upstream_timeout', 'over'])
  })

  test('one that took it may think until the limit of the whole answer', () => {
    const { clock, owner, trip } = connected(wholeLimits)
    clock.advanceSync(limits.totalMsMax - 1)
    expect(owner.endings).toEqual([])
    expect(trip.calls).toEqual([])
  })

  test('a stream has no such clock: its first content decides', () => {
    const { clock, owner, trip } = connected()
    trip.unsent = 1
    clock.advanceSync(limits.firstContentMsMax! - 1)
    expect(owner.endings).toEqual([])
  })
})

describe('until the first content of a stream', () => {
  test('only content counts: heads, roles, comments and bytes do not', () => {
    const { clock, owner, trip } = connected()
    const feeds = [() => trip.head(), () => trip.data(role), () => trip.data(': still here\n\n'), () => trip.data('da')]
    for (const feed of feeds) {
      clock.advanceSync(limits.firstContentMsMax! / feeds.length - 1)
      feed()
    }
    clock.advanceSync(feeds.length - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    expect(owner.failures[0]).toMatchObject({
      failure: { cause: 'timed_out' },
      answered: true,
      sinceSentMs: limits.firstContentMsMax,
    })
    expect(trip.aborted).toBe(true)
    expect(owner.sent).toBe('')
  })

  test('a host that says nothing at all is given up at the same moment', () => {
    const { clock, owner } = connected()
    clock.advanceSync(limits.firstContentMsMax! - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    expect(owner.failures[0]?.answered).toBe(false)
  })

  test('content at the last moment is in time', () => {
    const { clock, owner, trip } = streaming()
    clock.advanceSync(limits.firstContentMsMax! - 1)
    trip.data(content)
    clock.advanceSync(1)
    expect(owner.endings).toEqual([])
    expect(owner.sent).toBe(content)
  })

  test('JSON in answer to a stream request shows nothing until it is whole and is not cut', () => {
    const { clock, owner, trip } = connected()
    clock.advanceSync(limits.firstContentMsMax! - 1)
    trip.head('application/json')
    clock.advanceSync(limits.totalMsMax - limits.firstContentMsMax!)
    expect(owner.endings).toEqual([])
    trip.data('{}')
    trip.end()
    expect(owner.endings).toEqual(['completed', 'over'])
    expect(owner.sent).toBe('{}')
  })
})

describe('between contents', () => {
  test('the gap has a clock of its own, fed by content', () => {
    const { clock, owner, trip } = streaming()
    for (let frames = 0; frames < 3; frames++) {
      trip.data(content)
      clock.advanceSync(limits.contentGapMsMax - 1)
      expect(owner.endings).toEqual([])
    }
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_stalled'])
    expect(trip.aborted).toBe(true)
  })

  test('and by nothing else', () => {
    const { clock, owner, trip } = streaming()
    trip.data(content)
    for (const text of [': ping\n\n', role, 'data:']) {
      clock.advanceSync(limits.contentGapMsMax / 4)
      trip.data(text)
    }
    clock.advanceSync(limits.contentGapMsMax / 4 - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_stalled'])
  })

  test('a client that does not read stops host and clock, and both start anew with it', () => {
    const { attempt, clock, owner, trip } = streaming()
    owner.clientTakesMore = false
    trip.data(content)
    trip.data(content)
    expect(trip.calls).toEqual(['pause'])
    clock.advanceSync(3 * limits.contentGapMsMax)
    expect(owner.endings).toEqual([])
    attempt.resume()
    attempt.resume()
    expect(trip.calls).toEqual(['pause', 'resume'])
    clock.advanceSync(limits.contentGapMsMax - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_stalled'])
  })
})

describe('over the whole answer', () => {
  test('a stream that never stops is cut at the limit', () => {
    const { clock, owner, trip } = streaming()
    trip.data(content)
    const stepMs = limits.contentGapMsMax / 2
    for (let atMs = stepMs; atMs < limits.totalMsMax; atMs += stepMs) {
      clock.advanceSync(stepMs)
      trip.data(content)
    }
    clock.advanceSync(limits.totalMsMax - clock.now() + 1_000 - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    expect(trip.aborted).toBe(true)
  })

  test('so is a stream whose client does not read', () => {
    const { clock, owner, trip } = streaming()
    owner.clientTakesMore = false
    trip.data(content)
    clock.advanceSync(limits.totalMsMax - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
  })

  test.each([['before its head'], ['within its body']])('an answer in one piece is cut there too, %s', (where) => {
    const { clock, owner, trip } = connected(wholeLimits)
    if (where === 'within its body') {
      trip.head('application/json')
      trip.data('{"half":')
    }
    clock.advanceSync(limits.totalMsMax - 1)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    expect(trip.aborted).toBe(true)
    expect(owner.sent).toBe('')
  })
})

describe('at the end', () => {
  test('after the finish the host has 5 s for its last frames, then what it said is taken as whole', () => {
    const { clock, owner, trip } = streaming()
    trip.data(content + finish)
    clock.advanceSync(4_999)
    expect(owner.endings).toEqual([])
    expect(trip.calls).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['completed'])
    expect(owner.sent).toBe(content + finish + done)
    expect(trip.calls).toEqual(['abort'])
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['completed', 'over'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('after [DONE] the client is told at once, and the host has 50 ms to end by itself', () => {
    const { clock, owner, trip } = streaming()
    trip.data(content + finish + done)
    expect(owner.endings).toEqual(['completed'])
    clock.advanceSync(49)
    expect(trip.calls).toEqual([])
    clock.advanceSync(1)
    expect(trip.calls).toEqual(['abort'])
    expect(owner.endings).toEqual(['completed'])
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['completed', 'over'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('a host that ends by itself is not aborted', () => {
    const { clock, owner, trip } = streaming()
    trip.data(content + finish + done)
    clock.advanceSync(49)
    trip.end()
    clock.advanceSync(limits.totalMsMax)
    expect(owner.endings).toEqual(['completed', 'over'])
    expect(trip.calls).toEqual([])
  })

  test('a connection that breaks behind a whole answer changes nothing', () => {
    const { owner, trip } = streaming()
    trip.data(content + finish + done)
    trip.fail({ answered: true })
    expect(owner.endings).toEqual(['completed', 'over'])
  })

  test('one that breaks within it is told, after what had come', () => {
    const { owner, trip, clock } = streaming()
    trip.data(content)
    trip.fail({ answered: true })
    expect(owner.endings).toEqual(['failed upstream_disconnected', 'over'])
    expect(owner.sent).toBe(content)
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('answers that cannot be relayed', () => {
  test.each<[string, string, Record<string, string>]>([
    ['a web page', 'text/html; charset=utf-8', {}],
    ['a compressed stream', 'text/event-stream', { 'content-encoding': 'gzip' }],
    ['compressed JSON', 'application/json', { 'content-encoding': 'br' }],
  ])('%s is a bad response of the host', (_what, type, headers) => {
    for (const form of [limits, wholeLimits]) {
      const { owner, trip } = connected(form)
      trip.head(type, 200, headers)
      expect(owner.endings).toEqual(['failed upstream_bad_response'])
      expect(owner.failures[0]).toMatchObject({ failure: { cause: 'bad_answer' }, answered: true })
      expect(trip.aborted).toBe(true)
      trip.data('<html>')
      trip.fail({ kind: 'aborted' })
      expect(owner.endings).toEqual(['failed upstream_bad_response', 'over'])
      expect(owner.sent).toBe('')
    }
  })

  test('identity is no compression', () => {
    const { owner, trip } = connected()
    trip.head('application/json', 200, { 'content-encoding': 'identity' })
    trip.data('{}')
    trip.end()
    expect(owner.endings).toEqual(['completed', 'over'])
  })

  test('a refusal stays one, web page or not', () => {
    const { owner, trip } = connected()
    trip.head('text/html', 503)
    trip.data('<html>')
    trip.end()
    expect(owner.endings).toEqual(['failed upstream_busy', 'over'])
  })
})

describe('a fault of the gateway itself', () => {
  const fault = new Error('a reader failed')
  const throwing = (): never => {
    throw fault
  }
  const quiet: AnswerReader = { isStream: true, data() {}, end() {}, broke() {} }

  test.each<[string, () => AnswerReader]>([
    ['as it is made', throwing],
    ['on a piece', () => ({ ...quiet, data: throwing })],
    ['at the end', () => ({ ...quiet, end: throwing })],
  ])('a reader that throws %s is told once, and never taken for a failure of the host', (when, reader) => {
    const { clock, owner, trip } = connected()
    owner.reader = reader
    trip.head()
    trip.data('a')
    trip.data('b')
    if (when === 'at the end') trip.end()
    expect(owner.endings.slice(0, 1)).toEqual(['fault'])
    expect(owner.faults).toEqual([fault])
    expect(trip.aborted).toBe(true)
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['fault', 'over'])
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('an owner that gives up', () => {
  test('before the connection: it is told only that it is over', () => {
    const { attempt, clock, owner, trip } = attempted()
    attempt.abort()
    expect(trip.aborted).toBe(true)
    expect(owner.endings).toEqual(['over'])
    expect(clock.pendingTimers).toBe(0)
  })

  test('while the trip is being made: it is aborted as soon as it is there', () => {
    const { attempt, owner, trip } = attempted(limits, { duringSend: (made) => made.abort() })
    expect(attempt.lease).toBeDefined()
    expect(trip.aborted).toBe(true)
    expect(owner.endings).toEqual(['over'])
  })

  test('within a stream: what still comes is nobody’s', () => {
    const { attempt, clock, owner, trip } = streaming()
    trip.data(content)
    attempt.abort()
    trip.data(content)
    clock.advanceSync(limits.totalMsMax)
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['over'])
    expect(owner.sent).toBe(content)
    expect(clock.pendingTimers).toBe(0)
  })
})
