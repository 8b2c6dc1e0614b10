import { describe, expect, test } from 'vitest'
import { passedTraceHeaders, traceContextOf, traceHeaders } from '../../../src/wire/trace-context.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentSpanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentSpanId}-01`

describe('traceContextOf', () => {
  test('takes over what a client sent', () => {
    const context = traceContextOf({ traceparent, tracestate: 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7' })
    const state = 'congo=t61rcWkgMzE,rojo=00f067aa0ba902b7'
    expect(context).toEqual({ traceId, parentSpanId, sampled: true, state })
  })

  test('takes over no state that holds what looks like a key of ours: hosts would read it', () => {
    const headers = { traceparent, tracestate: `congo=lmx_live_${'x'.repeat(20)}` }
    expect(traceContextOf(headers)?.state).toBeNull()
    expect(passedTraceHeaders(headers)).toEqual({ traceparent })
  })

  test.each([
    ['01', true],
    ['00', false],
    ['03', true],
    ['fe', false],
    ['ff', true],
  ])('reads of the flags %s only whether the client records: %s', (flags, sampled) => {
    expect(traceContextOf({ traceparent: `00-${traceId}-${parentSpanId}-${flags}` })?.sampled).toBe(sampled)
  })

  test.each([
    ['a later version', `cc-${traceId}-${parentSpanId}-01`],
    ['a later version with more behind it', `cc-${traceId}-${parentSpanId}-01-what-the-future-brings`],
  ])('reads of %s what it has in common with ours', (_, header) => {
    expect(traceContextOf({ traceparent: header })).toEqual({ traceId, parentSpanId, sampled: true, state: null })
  })

  test.each([
    ['nothing', undefined],
    ['an empty one', ''],
    ['version ff', `ff-${traceId}-${parentSpanId}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${parentSpanId}-01`],
    ['a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['upper case', traceparent.toUpperCase()],
    ['a short trace id', `00-${traceId.slice(1)}-${parentSpanId}-01`],
    ['a long span id', `00-${traceId}-${parentSpanId}0-01`],
    ['no flags', `00-${traceId}-${parentSpanId}`],
    ['short flags', `00-${traceId}-${parentSpanId}-1`],
    ['flags that are no hex', `00-${traceId}-${parentSpanId}-0g`],
    ['more than its version has', `${traceparent}-00`],
    ['more without a dash in a later version', `cc-${traceId}-${parentSpanId}-01.x`],
    ['a space before it', ` ${traceparent}`],
    ['two of them', `${traceparent}, ${traceparent}`],
    ['two of them, the first of a later version', `cc-${traceId}-${parentSpanId}-01-x, ${traceparent}`],
    ['a space behind a later version', `cc-${traceId}-${parentSpanId}-01-a b`],
    ['a tab behind a later version', `cc-${traceId}-${parentSpanId}-01-a\tb`],
    ['a line end behind a later version', `cc-${traceId}-${parentSpanId}-01-a\n`],
    ['bytes beyond ASCII behind a later version', `cc-${traceId}-${parentSpanId}-01-\u00ff\u0080`],
    ['a list', [traceparent]],
    ['one without an end', `cc-${traceId}-${parentSpanId}-01-${'x'.repeat(10_000)}`],
  ])('refuses %s', (_, header) => {
    expect(traceContextOf({ traceparent: header, tracestate: 'a=1' })).toBeNull()
    expect(passedTraceHeaders({ traceparent: header, tracestate: 'a=1' })).toEqual({})
  })

  test.each([
    ['empty', ''],
    ['only commas', ' , ,'],
    ['no pair', 'a'],
    ['a key in upper case', 'A=1'],
    ['a value with an equals sign', 'a=b=c'],
    ['a value with a control character', 'a=b\u0000'],
    ['a value beyond ASCII', 'a=ü'],
    ['33 members', Array.from({ length: 33 }, (_, at) => `a${at}=1`).join(',')],
    ['513 characters', `a=${'x'.repeat(255)},b=${'x'.repeat(253)}`],
  ])('goes on without a tracestate that is broken: %s', (_, tracestate) => {
    expect(traceContextOf({ traceparent, tracestate })).toMatchObject({ traceId, state: null })
    expect(passedTraceHeaders({ traceparent, tracestate })).toEqual({ traceparent })
  })

  test.each(['a=1', 'a=1 , b=2', 'fw529a3039@dt=FfAb_*-/', `a=${'x'.repeat(255)},b=${'x'.repeat(252)}`])(
    'keeps a tracestate as it came: %s',
    (tracestate) => {
      expect(traceContextOf({ traceparent, tracestate })?.state).toBe(tracestate)
    },
  )
})

test('the headers of an attempt name its own span, and the state as it came', () => {
  const span = { traceId, sampled: true, state: 'a=1' }
  const spanId = 'b7ad6b7169203331'
  expect(traceHeaders(span, spanId)).toEqual({ traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'a=1' })
  expect(traceHeaders({ ...span, sampled: false, state: null }, spanId)).toEqual({
    traceparent: `00-${traceId}-${spanId}-00`,
  })
})

test('who takes no part passes on what came, flags and version included', () => {
  const later = `cc-${traceId}-${parentSpanId}-fe-more`
  expect(passedTraceHeaders({ traceparent: later, tracestate: 'a=1' })).toEqual({
    traceparent: later,
    tracestate: 'a=1',
  })
  expect(passedTraceHeaders({ tracestate: 'a=1' })).toEqual({})
})
