/** The line before hosts that are busy, ejected or on their way back, and with requests that return to it. */
import { describe, expect, it, vi } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

describe('returning', () => {
  it('has the patience that it brings along, and not a millisecond more', async () => {
    const { ask, clock } = line([knownHost('a', { slots: 1 })])
    ask()
    const returning = ask('m', { place: 'sent_back', patienceMs: 2_000 })
    await clock.advance(1_999)
    expect(returning.error).toBeNull()
    await clock.advance(1)
    expect([returning.error?.code, returning.busyForMs]).toEqual(['queue_timeout', 0])
  })

  it('waits though the line is full', () => {
    const { ask, dispatcher } = line([knownHost('a', { slots: 1 })], { lengthMax: 1 })
    ask()
    ask()
    expect(ask('m', { place: 'sent_back' }).error).toBeNull()
    expect(dispatcher.length).toBe(2)
  })

  it('is told when no host is left', () => {
    const a = knownHost('a')
    const { ask, rejections } = line([a])
    expect(ask('m', { place: 'sent_back', excluded: [a] }).error?.code).toBe('no_upstream_available')
    expect(rejections).toEqual(['no_host'])
  })
})

describe('hosts that take nothing for a while', () => {
  const pausing = (name: string, clock: FakeClock, retryAfterMs: number, onChange = () => {}): Host => {
    const host = knownHost(name, { parts: { clock, onChange } })
    host.health.attemptEnded({ kind: 'busy', retryAfterMs })
    return host
  }

  it('are waited for, by who returns as by who comes, and both are served when the pause is over', async () => {
    const clock = new FakeClock()
    const host = pausing('a', clock, 5_000, () => dispatcher.hostsChanged())
    const { ask, dispatcher, granted } = line([host], { clock })
    const newcomer = ask()
    const returning = ask('m', { place: 'sent_back' })
    await clock.advance(4_999)
    expect(granted).toEqual([])
    await clock.advance(1)
    expect(granted).toEqual([returning])
    returning.lease?.release()
    expect(granted).toEqual([returning, newcomer])
  })

  it('nobody is lost when a slot is gone by time alone between the look and the grant', () => {
    const host = knownHost('a', { slots: 1 })
    const { ask, dispatcher } = line([host])
    const running = ask()
    const waiting = ask()
    // The first look finds the slot free, the second one does not.
    const hasFreeSlot = vi.spyOn(host, 'hasFreeSlot', 'get').mockReturnValueOnce(true).mockReturnValue(false)
    running.lease?.release()
    expect([waiting.lease, dispatcher.length]).toEqual([null, 1])
    hasFreeSlot.mockRestore()
    dispatcher.hostsChanged()
    expect(waiting.lease?.host).toBe(host)
  })

  it('when patience ends first, the smallest wait is told, and no hint is shorter', async () => {
    const clock = new FakeClock()
    const hosts = [pausing('a', clock, 50_000), pausing('b', clock, 40_000)]
    const { ask } = line(hosts, { clock, waitMsMax: 10_000 })
    const waiting = ask()
    await clock.advance(10_000)
    expect([waiting.error?.code, waiting.busyForMs]).toEqual(['queue_timeout', 30_000])
    expect(waiting.error?.retryAfterMs).toBeGreaterThanOrEqual(30_000)
  })

  it('are no reason when another host merely has no slot', async () => {
    const clock = new FakeClock()
    const { ask } = line([pausing('a', clock, 50_000), knownHost('b', { slots: 1 })], { clock, waitMsMax: 10_000 })
    ask()
    const waiting = ask()
    await clock.advance(10_000)
    expect([waiting.error?.code, waiting.busyForMs]).toEqual(['queue_timeout', 0])
  })
})

describe('hosts that are ejected', () => {
  it('those who wait go on to the next group at that moment', () => {
    const parts = { onChange: () => dispatcher.hostsChanged() }
    const first = knownHost('a', { lists: ['big'], slots: 1, parts })
    const second = knownHost('b', { lists: ['small'] })
    const { ask, dispatcher } = line([first, second])
    const route = new ModelCatalog([first, second], { best: ['big', 'small'] }).route('best', 'chat_completions')
    ask('best', { route })
    const waiting = ask('best', { route })
    expect(waiting.lease).toBeNull()
    for (let i = 0; i < 3; i++) first.health.attemptEnded({ kind: 'lost' })
    expect(waiting.lease?.host).toBe(second)
  })

  it('the only one is given one request per second until one succeeds', async () => {
    const clock = new FakeClock()
    const host = knownHost('a', { parts: { clock, onChange: () => dispatcher.hostsChanged() } })
    const { ask, dispatcher, granted } = line([host], { clock })
    for (let i = 0; i < 3; i++) host.health.attemptEnded({ kind: 'lost' })
    for (let i = 0; i < 6; i++) ask()
    const seen: number[] = []
    const failLatest = (): void => {
      const { lease } = granted.at(-1)!
      host.health.attemptEnded({ kind: 'lost' })
      lease?.release()
    }
    for (const ms of [999, 1, 999, 1]) {
      await clock.advance(ms)
      if (granted.length > (seen.at(-1) ?? 0)) failLatest()
      seen.push(granted.length)
    }
    expect(seen).toEqual([0, 1, 1, 2])
    await clock.advance(1_000)
    expect(granted).toHaveLength(3)
    host.health.attemptEnded({ kind: 'ok' })
    granted.at(-1)?.lease?.release()
    // One slot at first, and no second to wait.
    expect(granted).toHaveLength(4)
    granted.at(-1)?.lease?.release()
    expect(granted).toHaveLength(5)
  })
})
