import { describe, expect, it } from 'vitest'
import type { Phase, TimeSpent } from '../../../src/relay/outcome.ts'
import { RequestTimeline } from '../../../src/relay/request-timeline.ts'

const acceptedAtMs = 1_000
const beginning = { host: 'a', kind: null, model: 'm', reason: 'only_host', decision: null, spanId: null }

type Step = readonly [phase: Phase | 'content', atMs: number]

/** Enters each phase at its time, in ms since the request was accepted; an attempt begins with each connection. */
function timelineOf(phases: readonly Step[]): RequestTimeline {
  const timeline = new RequestTimeline(acceptedAtMs)
  for (const [phase, atMs] of phases) {
    if (phase === 'content') timeline.contentBegan(acceptedAtMs + atMs)
    else timeline.enter(phase, acceptedAtMs + atMs)
    if (phase === 'C') timeline.attemptBegan(beginning, acceptedAtMs + atMs)
  }
  return timeline
}

const sum = (spent: TimeSpent) => Object.values(spent).reduce<number>((all, ms) => all + Number(ms), 0)

/** Up to the first content. */
function toFirstToken({ readMs, limitMs, queueMs, lostMs, hostMs, prefillMs }: TimeSpent): number {
  return readMs + limitMs + queueMs + lostMs + hostMs + prefillMs
}

const whole = [
  ['A', 5],
  ['Q', 7],
  ['C', 107],
  ['H', 109],
  ['F', 120],
  ['D', 400],
  ['L', 900],
] as const
/** The same with its first content at that time. */
const withContentAt = (contentAtMs: number): Step[] =>
  [...whole, ['content', contentAtMs] as const].toSorted((a, b) => a[1] - b[1])

describe('where the time of a request went', () => {
  it('is told by its phases, which add up to all of it', () => {
    const { spent } = timelineOf(whole).ended(acceptedAtMs + 1_000, null)
    expect(spent).toEqual({
      readMs: 5,
      limitMs: 2,
      queueMs: 100,
      lostMs: 0,
      hostMs: 13,
      prefillMs: 280,
      contentMs: 500,
      lastMs: 100,
    })
    expect(sum(spent)).toBe(1_000)
  })

  it('ends the time to the first token when content was seen, a moment before its bytes went out', () => {
    const { spent } = timelineOf(withContentAt(397)).ended(acceptedAtMs + 1_000, null)
    expect(toFirstToken(spent)).toBe(397)
    expect([spent.prefillMs, spent.contentMs, sum(spent)]).toEqual([277, 503, 1_000])
  })

  it('ends it there too where bytes that are no content went out before', () => {
    const { spent } = timelineOf(withContentAt(450)).ended(acceptedAtMs + 1_000, null)
    expect(toFirstToken(spent)).toBe(450)
    expect([spent.prefillMs, spent.contentMs, sum(spent)]).toEqual([330, 450, 1_000])
  })

  it('is known up to the first token as soon as that is there', () => {
    const timeline = timelineOf(withContentAt(397).slice(0, 6))
    expect(timeline.toFirstToken).toEqual({
      readMs: 5,
      limitMs: 2,
      queueMs: 100,
      lostMs: 0,
      hostMs: 13,
      prefillMs: 277,
    })
  })

  it('is lost with an attempt whose content reached nobody', () => {
    const timeline = timelineOf(withContentAt(200).slice(0, 6))
    timeline.attemptLost('upstream_disconnected', acceptedAtMs + 250)
    timeline.enter('Q', acceptedAtMs + 250)
    const { spent } = timeline.ended(acceptedAtMs + 300, null)
    expect(spent).toMatchObject({ queueMs: 150, lostMs: 143, hostMs: 0, prefillMs: 0, contentMs: 0 })
    expect(sum(spent)).toBe(300)
  })

  it('knows what attempts cost that came to nothing, with waits in between as waits', () => {
    const timeline = timelineOf([
      ['A', 1],
      ['Q', 2],
      ['C', 10],
      ['H', 12],
      ['F', 20],
    ])
    timeline.attemptLost('upstream_timeout', acceptedAtMs + 50)
    timeline.enter('Q', acceptedAtMs + 50)
    timeline.enter('C', acceptedAtMs + 150)
    timeline.attemptBegan({ ...beginning, host: 'b' }, acceptedAtMs + 150)
    timeline.enter('H', acceptedAtMs + 151)
    timeline.enter('F', acceptedAtMs + 160)
    timeline.contentBegan(acceptedAtMs + 200)
    timeline.enter('D', acceptedAtMs + 200)
    const { spent, attempts } = timeline.ended(acceptedAtMs + 300, null)
    expect(spent).toMatchObject({ queueMs: 108, lostMs: 40, hostMs: 10, prefillMs: 40, contentMs: 100 })
    expect([toFirstToken(spent), sum(spent)]).toEqual([200, 300])
    expect(attempts).toEqual([
      { ...beginning, beganMs: 10, sentMs: 12, headMs: 20, endedMs: 50, failure: 'upstream_timeout' },
      { ...beginning, host: 'b', beganMs: 150, sentMs: 151, headMs: 160, endedMs: 300, failure: null },
    ])
  })

  it('ends with the client that left, whatever is still read of its answer', () => {
    const timeline = timelineOf(whole.slice(0, 5))
    timeline.stop(acceptedAtMs + 200)
    timeline.contentBegan(acceptedAtMs + 400)
    timeline.enter('D', acceptedAtMs + 400)
    const { spent } = timeline.ended(acceptedAtMs + 200, null)
    expect(spent).toMatchObject({ prefillMs: 80, contentMs: 0, lastMs: 0 })
    expect([timeline.phase, sum(spent)]).toEqual(['D', 200])
  })

  it('that ends before a host was asked is all of it before', () => {
    const { spent, attempts } = timelineOf(whole.slice(0, 2)).ended(acceptedAtMs + 60, 'queue_timeout')
    expect(spent).toMatchObject({ readMs: 5, limitMs: 2, queueMs: 53, hostMs: 0, prefillMs: 0 })
    expect(attempts).toEqual([])
  })

  it('that fails in its last attempt was spent at that host, with the failure', () => {
    const { spent, attempts } = timelineOf(whole.slice(0, 4)).ended(acceptedAtMs + 500, 'upstream_timeout')
    expect(spent).toMatchObject({ lostMs: 0, hostMs: 393 })
    expect(attempts).toMatchObject([{ headMs: null, endedMs: 500, failure: 'upstream_timeout' }])
  })

  it('is told of sixteen attempts at the most: the last', () => {
    const timeline = new RequestTimeline(acceptedAtMs)
    for (let index = 0; index < 20; index += 1) {
      timeline.enter('C', acceptedAtMs + index)
      timeline.attemptBegan({ ...beginning, host: `h${index}` }, acceptedAtMs + index)
      timeline.attemptLost('given_back', acceptedAtMs + index + 0.5)
    }
    const { attempts } = timeline.ended(acceptedAtMs + 30, null)
    expect(attempts.map(({ host }) => host)).toEqual(Array.from({ length: 16 }, (_, index) => `h${index + 4}`))
  })
})
