import { describe, expect, it } from 'vitest'
import type { Exchange } from '../../../src/relay/exchange.ts'
import { Heartbeat } from '../../../src/relay/heartbeat.ts'
import { relayOptions } from '../../../src/relay/options.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import type { HeartbeatForm } from '../../../src/wire/heartbeat.ts'
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
    onHeaders: () => void told.push('headers'),
  })
  return { clock, told, exchange, heartbeat }
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
