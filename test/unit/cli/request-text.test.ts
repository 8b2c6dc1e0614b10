import { expect, test } from 'vitest'
import { endedRequestText, endedText, requestsText } from '../../../src/cli/request-text.ts'
import { endedRequest } from '../../../src/http/admin/ended-request.ts'
import type { LiveRequest } from '../../../src/relay/live-request-schema.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { decisionRecord, placeRecord } from '../../kit/decision-records.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const ended = (differing: Partial<Outcome> = {}) => endedRequest(outcome(differing))

test('requests stand in columns, and nothing that a client wrote steers the terminal', () => {
  const request: LiveRequest = {
    id: 'r1',
    requestId: 'own',
    key: 'a\u001b[2J',
    keyId: null,
    team: null,
    class: null,
    endpoint: 'chat_completions',
    model: null,
    stream: true,
    phase: 'reading',
    phaseMs: 40,
    host: null,
    ageMs: 1_000,
    queueWaitMs: null,
    promptTokens: 1_500,
    outputTokens: 0,
    attempts: 0,
    clientLeft: false,
  }
  expect(requestsText([request], 1).split('\n')).toEqual([
    'id  key    class  model  endpoint          phase    since  host    age  prompt  answer',
    'r1  a?[2J  -      -      chat_completions  reading  0.0 s  -     1.0 s   1,500       0',
  ])
})

test('those that ended stand in columns, the time at which they did first', () => {
  const left = { id: 'id-2', model: null, askedModel: 'qwenn', host: null, status: 404, end: 'GA' } as const
  const nothing = { ttftMs: null, timePerOutputTokenMs: null, tokens: { ...outcome().tokens, output: 0 } }
  expect(endedText([ended(), ended({ ...left, ...nothing })]).split('\n')).toEqual([
    'ended     id    key    model  status  end  host    in all   line   ttft  tok/s  answer',
    '12:00:02  id-1  alice  qwen   200     --   studio   2.3 s  0.0 s  0.3 s   50.0     100',
    '12:00:02  id-2  alice  qwenn  404     GA   -        2.3 s  0.0 s      -      -       0',
  ])
  expect(endedText([])).toBe('No such request has ended lately.')
})

test('one that ended is told with where its time went and what was decided', () => {
  const [attempt] = outcome().attemptsMade
  const lost = {
    ...attempt!,
    host: 'mini',
    decision: decisionRecord({ places: [placeRecord({ host: 'mini' }), placeRecord()] }),
    endedMs: 1_000,
    failure: 'upstream_timeout',
  } as const
  const won = {
    ...attempt!,
    reason: 'only_free_host',
    decision: decisionRecord({ places: [placeRecord()] }),
    beganMs: 1_000,
  }
  expect(endedRequestText(ended({ attempts: 2, attemptsMade: [lost, won] })).split('\n')).toEqual([
    'id-1 of alice (default): chat_completions, qwen, streamed',
    '200 --, accepted 2026-11-26T12:00:00.000Z, 2.3 s in all',
    'tokens: 20 in (4 cached), 100 out (0 reasoning), reported',
    'first content after 250.0 ms, 50.0 tok/s, 44.4 tok/s end to end',
    '',
    'where the time went:',
    '  body                               1.0 ms',
    '  checks and limits of its key       0.5 ms',
    '  line                              12.3 ms',
    '  attempts that came to nothing      0.0 ms',
    '  host, to the head                  6.2 ms',
    '  host, to the first content       230.0 ms',
    '  content                             2.0 s',
    '  last bytes to the client          10.0 ms',
    '  reckoned when it came: 10.0 ms in line in one of two cases, 40.0 ms in nine of ten',
    '',
    'attempt 1: mini (qwen-4bit), least_busy of mini, studio',
    '  from 13.8 ms to 1.0 s: upstream_timeout',
    '',
    'attempt 2: studio (qwen-4bit), only_free_host of studio',
    '  from 1.0 s to 2.3 s',
  ])
})

test('a name that steers the terminal does not', () => {
  const steering = ended({ key: 'a\u001b[2J', model: null, askedModel: 'b\u202e' })
  const text = endedRequestText(steering) + endedText([steering])
  expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})
