import { expect, test } from 'vitest'
import { attemptTrace, makeTracing, passedOn } from '../../../src/relay/request-trace.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentSpanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentSpanId}-01`

test('of the traces that begin here the share is recorded, and those of clients as they say', () => {
  const chances = [0, 0.24, 0.25, 0.9]
  const tracing = makeTracing({ sampleRatio: 0.25, chance: () => chances.shift() ?? 1 })
  expect([1, 2, 3, 4].map(() => tracing.begin({})?.sampled)).toEqual([true, true, false, false])
  expect(tracing.begin({ traceparent })?.sampled).toBe(true)
  expect(tracing.begin({ traceparent: traceparent.replace(/01$/, '00') })?.sampled).toBe(false)
})

test('a request has a span of its own in the trace of its client', () => {
  const tracing = makeTracing({ sampleRatio: 1, chance: Math.random })
  const span = tracing.begin({ traceparent, tracestate: 'a=1' })
  expect(span).toMatchObject({ traceId, parentSpanId, state: 'a=1' })
  expect(span?.spanId).toMatch(/^(?!0{16}|00f067aa0ba902b7)[0-9a-f]{16}$/)
})

test('no two traces, requests or attempts have the same id', () => {
  const tracing = makeTracing({ sampleRatio: 1, chance: Math.random })
  const ids = new Set<string | null>()
  const spans = Array.from({ length: 1_000 }, () => tracing.begin({}))
  for (const span of spans) ids.add(span!.traceId).add(span!.spanId).add(attemptTrace(span, {}).spanId)
  expect(ids.size).toBe(3_000)
  for (const span of spans) expect(span!.traceId).toMatch(/^[0-9a-f]{32}$/)
})

test('without a part of its own the gateway knows the trace of its client, and passes it on as it came', () => {
  const later = `cc-${traceId}-${parentSpanId}-01-more`
  const trace = passedOn.begin({ traceparent: later })
  expect(trace).toEqual({ traceId, spanId: null, parentSpanId, sampled: true, state: null })
  expect(attemptTrace(trace, { traceparent: later })).toEqual({ spanId: null, headers: { traceparent: later } })
  expect(passedOn.begin({})).toBeNull()
  expect(passedOn.begin({ traceparent: 'none' })).toBeNull()
})

test('without a trace an attempt has none, and passes on what came', () => {
  expect(attemptTrace(null, { traceparent })).toEqual({ spanId: null, headers: { traceparent } })
})
