import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../../src/relay/exchange.ts'
import { Heartbeat } from '../../../src/relay/heartbeat.ts'
import { relayOptions } from '../../../src/relay/options.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import type { HeartbeatForm, PlaceInLine } from '../../../src/wire/heartbeat.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

interface Begun {
  readonly form?: HeartbeatForm
  readonly path?: string
  readonly stream?: boolean
  /** Since the request was accepted. */
  readonly sinceMs?: number
  readonly headers?: Readonly<Record<string, string>>
}

function begun({
  form = 'comment',
  path = '/v1/chat/completions',
  stream = true,
  sinceMs = 0,
  headers = {},
}: Begun = {}) {
  const clock = new FakeClock()
  const acceptedAtMs = clock.now()
  clock.advanceSync(sinceMs)
  const told: string[] = []
  const line: { place: PlaceInLine | null } = { place: null }
  const exchange = {
    acceptedAtMs,
    headers,
    committed: false,
    head(status: number) {
      told.push(`head ${status}`)
      this.committed = true
    },
    write: (bytes: Buffer) => void told.push(bytes.toString()),
  }
  const options = { ...relayOptions.parse({}), heartbeat: form }
  const endpoint = endpoints.find((one) => one.path === path)
  if (endpoint === undefined) throw new Error(`no endpoint ${path}`)
  const body = readJsonBody(Buffer.from(JSON.stringify({ model: 'm', stream })), options)
  const heartbeat = Heartbeat.begin(body, {
    clock,
    options,
    endpoint,
    exchange: exchange as unknown as Exchange,
    place: () => line.place,
    onHeaders: () => void told.push('headers'),
  })
  return { clock, told, exchange, heartbeat, line }
}

const beat = ': waiting\n'

describe('beats', () => {
  it('first after headerHoldMs, then each heartbeatMs, with the headers before the first', () => {
    const { clock, told } = begun()
    clock.advanceSync(9_999)
    expect(told).toEqual([])
    clock.advanceSync(1)
    expect(told).toEqual(['headers', 'head 200', beat])
    clock.advanceSync(14_999)
    expect(told).toHaveLength(3)
    clock.advanceSync(1)
    expect(told.slice(3)).toEqual([beat])
  })

  it('headerHoldMs counts from when the request was accepted, not from when its body was there', () => {
    const late = begun({ sinceMs: 9_000 })
    late.clock.advanceSync(1_000)
    expect(late.told).toContain(beat)
    const later = begun({ sinceMs: 30_000 })
    later.clock.advanceSync(0)
    expect(later.told).toContain(beat)
  })

  it('stop for good', () => {
    const { clock, told, heartbeat } = begun()
    clock.advanceSync(10_000)
    heartbeat?.stop()
    clock.advanceSync(100_000)
    expect(told).toHaveLength(3)
    expect(clock.pendingTimers).toBe(0)
  })

  it('are left out while they are held, and go on in step', () => {
    const { clock, told, heartbeat } = begun()
    if (heartbeat === null) throw new Error('no heartbeat')
    heartbeat.held = true
    clock.advanceSync(39_000)
    expect(told).toEqual([])
    heartbeat.held = false
    clock.advanceSync(1_000)
    expect(told).toEqual(['headers', 'head 200', beat])
  })
})

describe('the place in the line', () => {
  const headers = { 'x-lmx-gateway-queue-events': '1' }
  const place: PlaceInLine = {
    position: 3,
    aheadInKey: 1,
    keysWaiting: 2,
    p50Ms: 12_345,
    p90Ms: 40_060,
    class: 'default',
    waitsFor: 'slot',
  }
  const told =
    ': lmx-gateway {"queue":{"position":3,"ahead_in_key":1,"keys_waiting":2,"eta_seconds":12.3,"eta_p90_seconds":40.1,"class":"default","waits_for":"slot"}}\n\n'

  it('is told at each beat to who asked and waits there, as it is then, and afterwards comes the plain beat', () => {
    const waiting = begun({ headers })
    waiting.line.place = place
    waiting.clock.advanceSync(10_000)
    waiting.line.place = {
      ...place,
      position: 0,
      aheadInKey: 0,
      keysWaiting: null,
      p50Ms: null,
      p90Ms: null,
      class: 'bulk',
      waitsFor: 'limit',
    }
    waiting.clock.advanceSync(15_000)
    waiting.line.place = null
    waiting.clock.advanceSync(15_000)
    expect(waiting.told.slice(2)).toEqual([
      told,
      ': lmx-gateway {"queue":{"position":0,"ahead_in_key":0,"keys_waiting":null,"eta_seconds":null,"eta_p90_seconds":null,"class":"bulk","waits_for":"limit"}}\n\n',
      beat,
    ])
  })

  it.each<[string, Begun, string]>([
    ['where heartbeats are off', { form: 'off', headers }, ''],
    ['against its own wish for none', { headers: { ...headers, 'x-lmx-gateway-heartbeat': 'off' } }, ''],
    ['before the frame that says nothing', { form: 'chunk', headers, path: '/v1/messages' }, 'event: ping\n'],
    [
      'in place of the comment of a dialect without such a frame',
      { form: 'chunk', headers, path: '/v1/responses' },
      '',
    ],
  ])('is told %s', (_what, how, then) => {
    const one = begun(how)
    one.line.place = place
    one.clock.advanceSync(10_000)
    const [, , bytes = ''] = one.told
    expect(bytes.startsWith(told + then)).toBe(true)
    if (then === '') expect(bytes).toBe(told)
  })

  it('is told to nobody who did not ask', () => {
    for (const wish of [{}, { 'x-lmx-gateway-queue-events': '0' }]) {
      const one = begun({ headers: wish })
      one.line.place = place
      one.clock.advanceSync(10_000)
      expect(one.told.at(-1)).toBe(beat)
      expect(begun({ form: 'off', headers: wish }).heartbeat).toBeNull()
    }
  })

  it('is asked for by 1, and by nothing else but 0, with a stream or without', () => {
    for (const wish of ['', '2', 'true', '1, 1', 'on']) {
      for (const stream of [true, false]) {
        expect(() => begun({ stream, headers: { 'x-lmx-gateway-queue-events': wish } })).toThrow(
          'The header x-lmx-gateway-queue-events must be 1 or 0.',
        )
      }
    }
    expect(begun({ stream: false, headers }).heartbeat).toBeNull()
  })
})

describe('who gets them', () => {
  it.each<[string, Begun, boolean]>([
    ['a stream', {}, true],
    ['one that the client wishes', { form: 'off', headers: { 'x-lmx-gateway-heartbeat': 'chunk' } }, true],
    ['not by default', { form: 'off' }, false],
    ['not against the wish of the client', { headers: { 'x-lmx-gateway-heartbeat': 'off' } }, false],
    ['not an answer in one piece', { stream: false }, false],
    ['not a stream that is not read', { path: '/v1/audio/speech' }, false],
  ])('%s', (_what, how, gets) => {
    const { heartbeat, clock } = begun(how)
    expect([heartbeat !== null, clock.pendingTimers]).toEqual([gets, gets ? 1 : 0])
  })
})
