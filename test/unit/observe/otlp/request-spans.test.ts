import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { emptyResource } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { requestSpans } from '../../../../src/observe/otlp/request-spans.ts'
import type { AttemptOutcome, Outcome } from '../../../../src/relay/outcome.ts'
import { outcome } from '../../../kit/scripted-sources.ts'

const origin = { resource: emptyResource(), version: '1' }
const trace = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: null,
  sampled: true,
  state: 'a=secret',
}
const whole = outcome()

function attempt(differing: Partial<AttemptOutcome>): AttemptOutcome {
  return { ...whole.attemptsMade[0]!, spanId: 'b7ad6b7169203331', ...differing }
}

/** Name, and when it began and ended in ms since the request was accepted. */
function stretches(differing: Partial<Outcome>): [string, number, number][] {
  const of = outcome({ trace, ...differing })
  const sinceMs = ([seconds, nanos]: readonly [number, number]) => seconds * 1_000 + nanos / 1e6 - of.acceptedAtMs
  return requestSpans(of, origin).map(({ name, startTime, endTime }) => [
    name,
    Math.round(sinceMs(startTime) * 10) / 10,
    Math.round(sinceMs(endTime) * 10) / 10,
  ])
}

test('a request that is not traced, or whose client does not record, has none', () => {
  expect(requestSpans(outcome(), origin)).toEqual([])
  expect(requestSpans(outcome({ trace: { ...trace, sampled: false } }), origin)).toEqual([])
  expect(requestSpans(outcome({ trace: { ...trace, spanId: null } }), origin)).toEqual([])
})

test('the parts of a stream follow each other without a gap', () => {
  expect(stretches({ attemptsMade: [attempt({})] })).toEqual([
    ['chat qwen', 0, 2_250],
    ['queue', 1.5, 13.8],
    ['attempt', 13.8, 2_250],
    ['first token', 13.8, 250],
    ['stream', 250, 2_250],
  ])
})

test('what waited for a limit of its caller shows that', () => {
  const spent = { ...whole.spent, limitMs: 400 }
  expect(stretches({ spent, attemptsMade: [] })[1]).toEqual(['limit wait', 1, 401])
})

test('who never came out of the line was in it to the end, and who never got there was not', () => {
  const waited = { attempts: 0, attemptsMade: [], ttftMs: null, upstreamTtftMs: null }
  expect(stretches(waited)).toEqual([
    ['chat qwen', 0, 2_250],
    ['queue', 1.5, 2_250],
  ])
  expect(stretches({ ...waited, spent: { ...whole.spent, queueMs: 0 } })).toEqual([['chat qwen', 0, 2_250]])
})

test('each turn in line has its span, and an attempt that was made anew at once had none', () => {
  const attemptsMade = [
    attempt({ beganMs: 13.8, endedMs: 100, failure: 'upstream_busy' }),
    attempt({ beganMs: 500, endedMs: 600, failure: 'upstream_disconnected' }),
    attempt({ beganMs: 600.2, endedMs: 2_250 }),
  ]
  const queues = stretches({ attempts: 3, attemptsMade }).filter(([name]) => name === 'queue')
  expect(queues).toEqual([
    ['queue', 1.5, 13.8],
    ['queue', 100, 500],
  ])
})

test('of attempts of which only the last are known nothing is made up', () => {
  const attemptsMade = [
    attempt({ beganMs: 500, endedMs: 600, failure: 'given_back' }),
    attempt({ beganMs: 700, endedMs: 2_250 }),
  ]
  const spans = requestSpans(outcome({ trace, attempts: 20, attemptsMade }), origin)
  expect(spans.filter(({ name }) => name === 'queue')).toHaveLength(1)
  const numbers = spans
    .filter(({ name }) => name === 'attempt')
    .map(({ attributes }) => attributes['lmx_gateway.attempt'])
  expect(numbers).toEqual([19, 20])
})

test('what was given back to somebody more urgent is no failure', () => {
  const attemptsMade = [attempt({ failure: 'given_back' }), attempt({ failure: 'upstream_timeout' })]
  const spans = requestSpans(outcome({ trace, attempts: 2, attemptsMade }), origin)
  const attempts = spans.filter(({ name }) => name === 'attempt')
  expect(attempts.map(({ status }) => status.code)).toEqual([SpanStatusCode.UNSET, SpanStatusCode.ERROR])
  expect(attempts.map(({ kind }) => kind)).toEqual([SpanKind.CLIENT, SpanKind.CLIENT])
  expect(attempts.map(({ attributes }) => attributes['error.type'])).toEqual(['given_back', 'upstream_timeout'])
})

test.each([
  ['lmx', 'lmx'],
  ['ollama', 'ollama'],
  ['openai', 'lmx-gateway'],
  [null, 'lmx-gateway'],
] as const)('an attempt at a host of the kind %s names as its provider %s', (kind, provider) => {
  const spans = requestSpans(outcome({ trace, attemptsMade: [attempt({ kind })] }), origin)
  const [name] = spans.filter(({ kind: of }) => of === SpanKind.CLIENT).map(({ attributes }) => attributes)
  expect(name).toMatchObject({ 'gen_ai.provider.name': provider, 'lmx_gateway.host': 'studio' })
  expect(spans[0]!.attributes['gen_ai.provider.name']).toBe('lmx-gateway')
})

test('an attempt says how its host was chosen and what was foreseen of it, and nothing of that where nobody looks', () => {
  const attemptsMade = [attempt({}), attempt({ decision: null })]
  const spans = requestSpans(outcome({ trace, attempts: 2, attemptsMade }), origin)
  const [looked, unseen] = spans.filter(({ name }) => name === 'attempt').map(({ attributes }) => attributes)
  const foreseen = {
    'lmx_gateway.policy': 'fastest',
    'lmx_gateway.places_considered': 2,
    'lmx_gateway.predicted_first_token_ms': 200,
    'lmx_gateway.predicted_cached_tokens': 5,
  }
  expect(looked).toMatchObject(foreseen)
  for (const name of Object.keys(foreseen)) expect(unseen).not.toHaveProperty([name])
})

test.each<[Partial<Outcome>, boolean]>([
  [{ end: '--', status: 200 }, false],
  [{ end: '--', status: 400 }, false],
  [{ end: 'GA', status: 429, errorCode: 'rate_limit_exceeded' }, false],
  [{ end: 'CD', status: 499 }, false],
  [{ end: 'cD', status: 200 }, false],
  [{ end: 'UD', status: 200, errorCode: 'upstream_disconnected' }, true],
  [{ end: 'uF', status: 504, errorCode: 'upstream_timeout' }, true],
  [{ end: 'RQ', status: 429, errorCode: 'queue_full' }, true],
  [{ end: 'AD', status: 200, errorCode: 'gateway_shutting_down' }, true],
])('a request that ended with %o failed: %s', (differing, isFailed) => {
  const [root] = requestSpans(outcome({ trace, ...differing }), origin)
  expect(root!.status.code).toBe(isFailed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET)
})

test('a span of the client is the parent, from elsewhere; its state is nobody’s business', () => {
  const parentSpanId = 'b7ad6b7169203331'
  const [root, child] = requestSpans(outcome({ trace: { ...trace, parentSpanId } }), origin)
  expect(root!.parentSpanContext).toMatchObject({ spanId: parentSpanId, isRemote: true })
  expect(child!.parentSpanContext).toMatchObject({ spanId: trace.spanId })
  expect(root!.spanContext()).toEqual({ traceId: trace.traceId, spanId: trace.spanId, traceFlags: 1 })
})
