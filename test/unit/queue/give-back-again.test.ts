/** A slot is asked back for as long as somebody waits for it, not only at the moment when that one came. */
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

function scene(slots: number) {
  const clock = new FakeClock()
  const host = knownHost('a', { slots })
  const before = line([host], { clock })
  const leaving: Asker[] = []
  const bulk = (): Asker => {
    const asker = before.ask('m', {
      class: 'bulk',
      key: 'night',
      giveBack: () => {
        before.ask('m', { class: 'bulk', key: 'night', place: 'given_back' })
        leaving.push(asker)
        return true
      },
    })
    return asker
  }
  /** As at the relay: a host is left before its slot is free. */
  const leave = (): void => {
    for (let asker = leaving.shift(); asker !== undefined; asker = leaving.shift()) asker.lease?.release()
  }
  const person = (input = 0): Asker => {
    return before.ask('m', { class: 'interactive', key: 'person', tokens: { input, output: 0 } })
  }
  return { ...before, clock, host, bulk, person, leave }
}

describe('bulk makes room for interactive requests that came', () => {
  it('while the line was paused, once it goes on, one slot for each', () => {
    const { dispatcher, bulk, person, gaveBack, leave } = scene(3)
    for (let number = 1; number <= 3; number++) bulk()
    dispatcher.pause()
    const people = [person(), person()]
    expect(gaveBack()).toBe(0)
    dispatcher.resume()
    expect(gaveBack()).toBe(2)
    leave()
    expect(people.map(({ lease }) => lease !== null)).toEqual([true, true])
    expect(gaveBack()).toBe(2)
  })

  it('while its host was paused, once that goes on', () => {
    const { dispatcher, host, bulk, person, gaveBack, leave } = scene(1)
    bulk()
    host.pause()
    const waiting = person()
    expect([waiting.lease, gaveBack()]).toEqual([null, 0])
    host.resume()
    dispatcher.hostsChanged()
    leave()
    expect(waiting.lease).not.toBeNull()
  })

  it('and whose slot another key took that had less: it is asked for again', async () => {
    const { ask, clock, bulk, person, gaveBack, leave } = scene(4)
    person(1_000)
    ask('m', { key: 'busy' })
    bulk()
    await clock.advance(1)
    bulk()
    const program = ask('m', { key: 'program' })
    const waiting = person()
    leave()
    expect([program, waiting].map(({ lease }) => lease !== null)).toEqual([true, true])
    expect(gaveBack()).toBe(2)
  })

  it('but none for those who have left', async () => {
    const { dispatcher, bulk, person, gaveBack } = scene(1)
    bulk()
    dispatcher.pause()
    person().turn.leave()
    dispatcher.resume()
    expect(gaveBack()).toBe(0)
  })
})
