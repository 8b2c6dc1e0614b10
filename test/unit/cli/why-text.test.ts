import { expect, test } from 'vitest'
import { type WaitingNow, whyText } from '../../../src/cli/why-text.ts'
import { endedRequest } from '../../../src/http/admin/ended-request.ts'
import { shownDecision } from '../../../src/http/admin/shown-decision.ts'
import { decisionRecord, placeRecord } from '../../kit/decision-records.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const came = { firstTokenMs: 236, cachedTokens: 4, inputTokens: 20, outputTokens: 100, tookMs: 2_236, failure: null }
const live = {
  id: 'id-1',
  requestId: 'req-1',
  key: 'alice',
  keyId: null,
  team: null,
  class: 'default',
  endpoint: 'chat_completions',
  model: 'qwen',
  stream: true,
  phase: 'line',
  phaseMs: 2_100,
  host: null,
  ageMs: 2_200,
  queueWaitMs: 2_100,
  promptTokens: 20,
  outputTokens: 0,
  attempts: 0,
  clientLeft: false,
} as const
const waiting: WaitingNow = {
  id: 'id-1',
  requestId: 'req-1',
  key: 'alice',
  class: 'default',
  model: 'qwen',
  endpoint: 'chat_completions',
  waitedMs: 2_100,
  tokens: 420,
  position: 1,
  aheadInKey: 0,
  keysWaiting: 2,
  p50Ms: 3_000,
  p90Ms: 9_000,
  excludedHosts: [],
  heldFor: null,
  load: null,
}

test('of one that ended: each place, which was chosen and why, and how true that was', () => {
  const decisions = [shownDecision(decisionRecord({ reason: 'prefix', came }))]
  expect(whyText({ live: null, ended: endedRequest(outcome()), decisions }, null).split('\n')).toEqual([
    'id-1 of alice (default): qwen; 20 tokens in and 400 out, as estimated',
    '',
    '1. studio: this host has read the beginning of its prompt before, and need not read it again (prefix)',
    '   fastest, of 2 places, 2026-11-26T12:00:00.014Z, after 12 ms in the line',
    '',
    '      host    slot  load  cached  to read  first token  running  ahead in  out  tok/s in  out  score',
    '   >  studio  free     -       5   200 ms       200 ms        1         0  300     1,500   60    900',
    '      mini    free     -       0   500 ms       500 ms        1         0  300     1,500   60  1,400',
    '   first token after 236 ms, predicted 200 ms (118 % of that)',
    '   4 of 20 tokens from its cache, predicted 5',
    '   100 tokens written, 2.2 s at the host',
    '',
    'It ended after 2.3 s with 200 (--).',
  ])
})

test('of one that waits: which host for, how long still, and who goes before it', () => {
  const full = placeRecord({ isFree: false, slotWaitMs: 1_500, firstTokenMs: 1_700, isHome: true })
  const held = shownDecision(
    decisionRecord({
      places: [full, placeRecord({ host: 'mini', samples: 0 })],
      hold: { waitMsMax: 3_000, ended: null },
    }),
  )
  const text = whyText({ live, ended: null, decisions: [held] }, { ...waiting, heldFor: 'studio' })
  expect(text).toContain('1. it waits for studio, which is full: ')
  expect(text).toMatch(/^ {3}> +studio +in 1\.5 s +- +5 home /m)
  expect(text).toMatch(/^ {6}mini .* 1,500\* +60\* /m)
  expect(text).toContain('* assumed: nothing was learned yet')
  expect(text).toContain('to wait for it is better for 3.0 s at the most; it still waits')
  expect(text).toContain(
    'It waits in the line for studio, for 2.1 s: no longer than 3.0 s from now on in one of two cases, 9.0 s in nine of ten.',
  )
  expect(text).toContain('1 request goes before it, 0 of its own key.')
})

test.each([
  [
    { forMs: 12_000, expectedMs: 18_000, obstacle: null },
    'No host has the model in memory: studio has been loading qwen-4bit for 12.0 s, some 18.0 s more.',
  ],
  [
    { forMs: null, expectedMs: null, obstacle: 'busy' },
    'No host has the model in memory; studio is to load qwen-4bit, and has not begun: answers with other models are still being made.',
  ],
] as const)('of one that waits for a load: %o', (load, words) => {
  const one = { ...waiting, load: { host: 'studio', model: 'qwen-4bit', ...load } }
  expect(whyText({ live, ended: null, decisions: [] }, one).split('\n').at(-1)).toBe(words)
})

test.each([
  ['granted', 'after 1.2 s it had its slot there'],
  ['let_go', 'after 1.2 s it took too long, and any host would do from then on'],
  ['host_gone', 'after 1.2 s the host takes nothing any more, and any other would do from then on'],
  ['left', 'after 1.2 s the request left the line'],
] as const)('how waiting for a full host ended: %s', (result, words) => {
  const decision = decisionRecord({ hold: { waitMsMax: 3_000, ended: { result, ms: 1_200 } } })
  expect(whyText({ live: null, ended: null, decisions: [shownDecision(decision)] }, null)).toContain(words)
})

test('an attempt that came to nothing, and the next', () => {
  const failed = { ...came, firstTokenMs: null, cachedTokens: null, tookMs: 30, failure: 'upstream_unreachable' }
  const first = shownDecision(decisionRecord({ came: failed }))
  const second = shownDecision(
    decisionRecord({ places: [placeRecord({ host: 'mini' })], reason: 'only_free_host', came }),
  )
  const text = whyText({ live: null, ended: endedRequest(outcome()), decisions: [first, second] }, null)
  expect(text).toContain('   it came to nothing after 30 ms: upstream_unreachable')
  expect(text).toContain('\n2. mini: no other host of its tier had a slot free for the model (only_free_host)')
})

test.each([
  ['limit', 'It waits for the limits of its key or address, for 2.1 s: no host is looked for yet.'],
  ['reading', 'Its body is read, for 2.1 s: no host is looked for yet.'],
  ['line', 'It waits in the line for a slot, for 2.1 s.'],
] as const)('of one in the phase %s for which no host was chosen', (phase, words) => {
  expect(whyText({ live: { ...live, phase }, ended: null, decisions: [] }, null)).toBe(
    `id-1 of alice (default): qwen\n\n${words}`,
  )
})

test('one that was never sent anywhere says what it met, and nothing that a client wrote steers the terminal', () => {
  const ended = endedRequest(
    outcome({
      model: null,
      askedModel: 'qwe\u001b[2Jn',
      host: null,
      status: 404,
      end: 'GA',
      errorCode: 'model_not_found',
      attempts: 0,
      attemptsMade: [],
    }),
  )
  expect(whyText({ live: null, ended, decisions: [] }, null)).toBe(
    'id-1 of alice (default): qwe?[2Jn\n\nIt ended after 2.3 s with 404 model_not_found (GA): it was never sent to a host.',
  )
})
