import { EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { StopRequests } from '../../../src/cli/stop-requests.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function given({ hasHungUp = true } = {}) {
  const signals = new EventEmitter()
  const clock = new FakeClock()
  const stop = new StopRequests(signals, clock, () => hasHungUp)
  const seen: string[] = []
  stop.onReload = () => void seen.push('reload')
  void stop.drain.then(() => seen.push('drain'))
  void stop.now.then(() => seen.push('now'))
  void stop.atOnce.then(() => seen.push('at once'))
  return { signals, clock, stop, seen }
}

describe('signals', () => {
  test('a second within a second of the first is the same key press', async () => {
    const { signals, clock, seen } = given()
    signals.emit('SIGINT')
    signals.emit('SIGINT')
    await clock.advance(999)
    signals.emit('SIGTERM')
    await clock.advance(0)
    expect(seen).toEqual(['drain'])
  })

  test('a terminal that is closed hangs up: a wish to drain, and one with what else comes then', async () => {
    const { signals, clock, seen } = given()
    signals.emit('SIGHUP')
    signals.emit('SIGTERM')
    await clock.advance(0)
    expect(seen).toEqual(['drain'])
  })

  test('with the terminal still there, or without any, a SIGHUP asks for the configuration, each time, and stops nothing', async () => {
    const { signals, clock, seen } = given({ hasHungUp: false })
    for (let i = 0; i < 3; i++) signals.emit('SIGHUP')
    await clock.advance(0)
    expect(seen).toEqual(['reload', 'reload', 'reload'])
    signals.emit('SIGTERM')
    await clock.advance(0)
    expect(seen.at(-1)).toBe('drain')
  })

  test('a later one ends now, and one more ends without a word', async () => {
    const { signals, clock, seen } = given()
    signals.emit('SIGTERM')
    await clock.advance(1_000)
    signals.emit('SIGINT')
    signals.emit('SIGINT')
    await clock.advance(999)
    expect(seen).toEqual(['drain', 'now'])
    await clock.advance(1)
    signals.emit('SIGTERM')
    await clock.advance(0)
    expect(seen).toEqual(['drain', 'now', 'at once'])
  })

  test('a press after all is done is heard and means nothing: the default would end the process by signal', async () => {
    const { clock, signals, seen } = given()
    for (let press = 0; press < 5; press++) {
      signals.emit('SIGINT')
      await clock.advance(1_000)
    }
    expect(seen).toEqual(['drain', 'now', 'at once'])
    expect(signals.eventNames().map((name) => `${String(name)} ${signals.listenerCount(name)}`)).toEqual([
      'SIGTERM 1',
      'SIGINT 1',
      'SIGHUP 1',
    ])
  })
})
