import { describe, expect, it } from 'vitest'
import { judged, type Objectives, objectiveOf } from '../../../src/observe/objectives.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const objectives: Objectives = {
  timeToFirstTokenMsMax: 10_000,
  timePerOutputTokenMsMax: 100,
  models: { giant: { timeToFirstTokenMsMax: 60_000 }, tiny: { timePerOutputTokenMsMax: 10 } },
}
const of = (differing: Parameters<typeof outcome>[0]) => judged(outcome(differing), objectives)
const none = { ttftMs: null, upstreamTtftMs: null, timePerOutputTokenMs: null } as const

describe('a stream that was answered', () => {
  it('met them all, up to the objectives themselves', () => {
    const met = { availability: true, ttft: true, tpot: true, goodput: true }
    expect(of({})).toEqual(met)
    expect(of({ ttftMs: 10_000, timePerOutputTokenMs: 100 })).toEqual(met)
  })

  it('is no good if one was missed', () => {
    expect(of({ ttftMs: 10_001 })).toEqual({ availability: true, ttft: false, tpot: true, goodput: false })
    expect(of({ timePerOutputTokenMs: 100.1 })).toEqual({ availability: true, ttft: true, tpot: false, goodput: false })
  })

  it('of one token says nothing of its speed, one without content nothing of its first token', () => {
    expect(of({ timePerOutputTokenMs: null })).toEqual({ availability: true, ttft: true, tpot: null, goodput: true })
    expect(of(none)).toEqual({ availability: true, ttft: null, tpot: null, goodput: true })
  })

  it('may take its time to begin if it is bulk, but not to go on', () => {
    expect(of({ class: 'bulk', ttftMs: 500_000 })).toEqual({
      availability: true,
      ttft: null,
      tpot: true,
      goodput: true,
    })
    expect(of({ class: 'bulk', timePerOutputTokenMs: 101 })).toMatchObject({ tpot: false, goodput: false })
  })
})

it('an answer that is not streamed is there or not', () => {
  expect(of({ stream: false, ...none })).toEqual({ availability: true, ttft: null, tpot: null, goodput: true })
})

describe('a model with objectives of its own', () => {
  it('is held to them, and to the general ones for the rest', () => {
    expect(of({ model: 'giant', ttftMs: 59_000 })).toMatchObject({ ttft: true, tpot: true })
    expect(of({ model: 'giant', ttftMs: 61_000, timePerOutputTokenMs: 101 })).toMatchObject({
      ttft: false,
      tpot: false,
    })
    expect(of({ model: 'tiny', timePerOutputTokenMs: 11 })).toMatchObject({ ttft: true, tpot: false })
  })

  it('is found by its own name alone', () => {
    const general = { timeToFirstTokenMsMax: 10_000, timePerOutputTokenMsMax: 100 }
    for (const model of [null, 'qwen', 'constructor', '__proto__']) {
      expect(objectiveOf(model, objectives)).toEqual(general)
    }
  })
})

describe('what the fleet is to blame for', () => {
  it.each([
    ['a host that failed before content', { status: 502, end: 'UF', ...none }],
    ['a line that was full', { status: 503, end: 'RQ', ...none, host: null }],
    ['patience that ended in the line', { status: 504, end: 'RQ', ...none, host: null }],
    ['a host that was silent', { status: 504, end: 'uH', ...none }],
    ['a host that sent too much', { status: 502, end: 'GF', errorCode: 'upstream_bad_response', ...none }],
    ['a rule that could not be looked up', { status: 503, end: 'GA', errorCode: 'store_unavailable', ...none }],
  ] as const)('%s missed availability and the first token, and has no speed', (_, differing) => {
    expect(of(differing)).toEqual({ availability: false, ttft: false, tpot: null, goodput: false })
  })

  it('a stream that broke missed availability and speed, however fast it was; its first token had come', () => {
    expect(of({ end: 'UD' })).toEqual({ availability: false, ttft: true, tpot: false, goodput: false })
    expect(of({ end: 'uD', timePerOutputTokenMs: null })).toMatchObject({ tpot: false, goodput: false })
  })

  it('of bulk that never began only availability was missed', () => {
    expect(of({ class: 'bulk', status: 503, end: 'RQ', ...none })).toEqual({
      availability: false,
      ttft: null,
      tpot: null,
      goodput: false,
    })
  })
})

describe('what the fleet is not to blame for', () => {
  it.each([
    ['a client that left early', { status: 499, end: 'CQ', durationMs: 9_999, ...none }],
    ['what the caller got wrong', { status: 400, end: 'GA', ...none }],
    ['a limit of the caller', { status: 429, end: 'GA', durationMs: 60_000, ...none }],
    ['a shutdown', { status: 503, end: 'AQ', durationMs: 60_000, ...none }],
    ['an upload that was too slow', { status: 408, end: 'cR', durationMs: 60_000, ...none }],
  ] as const)('%s counts nowhere', (_, differing) => {
    expect(of(differing)).toEqual({ availability: null, ttft: null, tpot: null, goodput: null })
  })

  it('an error that the host itself answered with is passed on, and is no answer', () => {
    expect(of({ end: '--', status: 500, ...none })).toMatchObject({ availability: false, goodput: false })
  })
})

describe('a client that left', () => {
  it('having waited beyond the objective of its model has seen it missed', () => {
    const left = { status: 499, end: 'CF', durationMs: 10_001, ...none } as const
    expect(of(left)).toEqual({ availability: null, ttft: false, tpot: null, goodput: false })
    expect(of({ ...left, model: 'giant' })).toMatchObject({ ttft: null, goodput: null })
    expect(of({ ...left, class: 'bulk' })).toMatchObject({ ttft: null, goodput: null })
  })

  it('in the middle of a stream has seen its first token and its speed', () => {
    expect(of({ status: 499, end: 'CD' })).toEqual({ availability: null, ttft: true, tpot: true, goodput: true })
    expect(of({ status: 499, end: 'CD', timePerOutputTokenMs: 250 })).toMatchObject({ tpot: false, goodput: false })
  })

  it('having watched a stream stand still has seen its speed, however fast it was before', () => {
    const stuck = { timePerOutputTokenMs: 10, timePerOutputTokenMsLeast: 275 }
    expect(of({ status: 499, end: 'CD', ...stuck })).toMatchObject({ tpot: false, goodput: false })
    expect(of({ status: 499, end: 'CD', ...stuck, timePerOutputTokenMsLeast: 100 })).toMatchObject({ tpot: true })
    expect(of({ status: 408, end: 'cD', ...stuck })).toMatchObject({ tpot: true })
  })
})
