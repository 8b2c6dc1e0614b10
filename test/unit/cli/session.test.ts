import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { runSession } from '../../../src/cli/session.ts'
import { StopRequests } from '../../../src/cli/stop-requests.ts'
import { type Gateway, type HostReport, StartError, type Started } from '../../../src/gateway.ts'
import { configOf } from '../../kit/config-of.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { within } from '../../kit/within.ts'

const report: HostReport = { name: 'a', url: 'http://a:1', kind: 'lmx', problem: null, models: ['m'], slots: 2 }

const started: Started = {
  dataUrl: 'http://127.0.0.1:4000',
  adminUrl: 'http://127.0.0.1:4001',
  liveKeys: 2,
  isAnonymous: false,
}

/** A gateway of which the test decides when it has probed and drained. */
function given(start: Gateway['start'] = async () => started) {
  const calls: string[] = []
  const out: string[] = []
  const logged: unknown[] = []
  const signals = new EventEmitter()
  const clock = new FakeClock()
  const probed = Promise.withResolvers<readonly HostReport[]>()
  const drained = Promise.withResolvers<void>()
  const gateway: Gateway = {
    start,
    firstProbes: () => probed.promise,
    reload: () => null,
    stop(options) {
      calls.push(options?.now === true ? 'stop now' : 'stop')
      return options?.now === true ? Promise.resolve() : drained.promise
    },
  }
  const ended = runSession({
    gateway,
    config: configOf({}),
    inForce: () => configOf({}),
    version: '1.2.3',
    io: { out: (text) => out.push(text), err: (text) => out.push(text) },
    log: (level, message, fields) => logged.push({ level, message, ...fields }),
    stop: new StopRequests(signals, clock, () => true),
    process: signals,
    onListening: () => calls.push('listening'),
  })
  const text = () => out.join('\n')
  return { calls, text, logged, signals, clock, probed, drained, ended }
}

describe('a session', () => {
  test('says where it listens before any host was found, and the hosts after', async () => {
    const { clock, text, probed, calls } = given()
    await clock.advance(0)
    expect(text()).toContain('http://127.0.0.1:4000/v1')
    expect(text()).toMatch(/^ {2}keys {9}2 live$/m)
    expect(text()).toMatch(/^ {2}store {8}in memory/m)
    expect(text()).not.toContain('Hosts')
    expect(calls).toEqual(['listening'])
    probed.resolve([report])
    await clock.advance(0)
    expect(text()).toContain('a  lmx  1 model (m)  2 slots')
    expect(text()).toContain('Try it, with a key in KEY:')
  })

  test('ends with 0 when a signal came and the drain is over', async () => {
    const { clock, signals, drained, ended, calls, text } = given()
    await clock.advance(0)
    signals.emit('SIGTERM')
    await clock.advance(0)
    expect(calls).toEqual(['listening', 'stop'])
    expect(text()).toContain('may finish for 60 s')
    drained.resolve()
    expect(await within(1_000, 'the end', ended)).toBe(0)
    // Those of signals stay: a late one must not end the process by its default.
    expect(signals.eventNames()).toEqual(['SIGTERM', 'SIGINT', 'SIGHUP'])
  })

  test('ends what runs on a later signal', async () => {
    const { clock, signals, ended, calls } = given()
    await clock.advance(0)
    signals.emit('SIGINT')
    await clock.advance(1_000)
    signals.emit('SIGINT')
    expect(await within(1_000, 'the end', ended)).toBe(0)
    expect(calls).toEqual(['listening', 'stop', 'stop now'])
  })

  test('stops as soon as it listens when the signal came before', async () => {
    const starting = Promise.withResolvers<Started>()
    const { signals, drained, ended, calls } = given(() => starting.promise)
    signals.emit('SIGTERM')
    starting.resolve(started)
    drained.resolve()
    expect(await within(1_000, 'the end', ended)).toBe(0)
    expect(calls).toEqual(['listening', 'stop'])
  })

  test('after a fault: one line, the drain, and 1; the fault quotes nothing', async () => {
    const { clock, signals, drained, ended, logged } = given()
    await clock.advance(0)
    signals.emit('uncaughtException', syntaxError())
    drained.resolve()
    expect(await within(1_000, 'the end', ended)).toBe(1)
    expect(logged).toHaveLength(1)
    expect(JSON.stringify(logged)).toMatch(/"level":"error".*"fault":"SyntaxError at /)
    expect(JSON.stringify(logged)).not.toContain('prompt')
  })

  test('a fault of the first probes or of the drain is one as well', async () => {
    const { clock, probed, drained, ended, logged } = given()
    await clock.advance(0)
    probed.reject(new TypeError('x'))
    await clock.advance(0)
    drained.reject(new TypeError('y'))
    expect(await within(1_000, 'the end', ended)).toBe(1)
    expect(logged).toHaveLength(2)
  })

  test('a start that failed leaves no listeners for faults behind', async () => {
    const { ended, signals, text } = given(() => Promise.reject(new StartError('port 4000 is in use')))
    await expect(ended).rejects.toThrow('port 4000 is in use')
    // Those of signals stay: a late one must not end the process by its default.
    expect(signals.eventNames()).toEqual(['SIGTERM', 'SIGINT', 'SIGHUP'])
    expect(text()).toBe('')
  })
})

function syntaxError(): unknown {
  try {
    return JSON.parse('a secret prompt')
  } catch (error) {
    return error
  }
}
