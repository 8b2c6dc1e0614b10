import { describe, expect, it } from 'vitest'
import type { LogFields, LogLevel } from '../../../src/base/log.ts'
import { accessLog } from '../../../src/observe/access-log.ts'
import { createLog } from '../../../src/observe/log-writer.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { outcome } from '../../kit/scripted-sources.ts'

function lineOf(differing: Partial<Outcome> = {}): { level: LogLevel; message: string; fields: LogFields } {
  const lines: { level: LogLevel; message: string; fields: LogFields }[] = []
  accessLog((level, message, fields = {}) => lines.push({ level, message, fields }))(outcome(differing))
  expect(lines).toHaveLength(1)
  return lines[0]!
}

describe('the line of a request', () => {
  it('has the figures of the outcome, times to a tenth of a millisecond', () => {
    expect(lineOf()).toEqual({
      level: 'info',
      message: 'request',
      fields: {
        requestId: 'req-1',
        id: 'id-1',
        traceId: null,
        endpoint: 'chat_completions',
        model: 'qwen',
        asked: null,
        host: 'studio',
        reason: 'least_busy',
        key: 'alice',
        class: 'default',
        stream: true,
        status: 200,
        end: '--',
        error: null,
        attempts: 1,
        attemptHosts: null,
        readMs: 1,
        limitMs: 0.5,
        queueMs: 12.3,
        lostMs: 0,
        hostMs: 6.2,
        prefillMs: 230,
        contentMs: 1_990,
        lastMs: 10,
        durationMs: 2_250,
        ttftMs: 250,
        tpotMs: 20,
        tokensPerSecond: 50,
        endToEndTokensPerSecond: 44.4,
        tokensIn: 20,
        tokensCached: 4,
        tokensOut: 100,
        tokensReasoning: 0,
        usage: 'reported',
      },
    })
  })

  it('has the same fields whatever became of the request', () => {
    const never = lineOf({
      model: null,
      askedModel: null,
      host: null,
      class: null,
      status: 401,
      end: 'GA',
      errorCode: 'invalid_api_key',
      attempts: 0,
      attemptsMade: [],
      ttftMs: null,
      timePerOutputTokenMs: null,
    })
    expect(Object.keys(never.fields)).toEqual(Object.keys(lineOf().fields))
    expect(Object.values(never.fields)).not.toContain(undefined)
    expect(never.fields).toMatchObject({ reason: null, tpotMs: null, tokensPerSecond: null, error: 'invalid_api_key' })
  })

  it('says where each attempt went when there was more than one, and which trace it belongs to', () => {
    const [first] = outcome().attemptsMade
    const attemptsMade = [
      { ...first!, host: 'mini' },
      { ...first!, reason: 'only_free_host' },
    ]
    const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: null, sampled: true, state: null }
    expect(lineOf({ attempts: 2, attemptsMade, trace }).fields).toMatchObject({
      attemptHosts: 'mini studio',
      reason: 'only_free_host',
      traceId: 'a'.repeat(32),
    })
  })

  it('names what was asked for where that is not a known name, so that a wrong one can be found', () => {
    expect(lineOf({ model: null, askedModel: 'qwenn' }).fields).toMatchObject({ model: null, asked: 'qwenn' })
    expect(lineOf({ model: 'qwen', askedModel: 'qwen' }).fields['asked']).toBeNull()
  })

  it('holds nothing that is not on the list, whatever else an outcome comes to carry', () => {
    const carrying = {
      prompt: 'CANARY',
      headers: { authorization: 'CANARY' },
      tokens: { ...outcome().tokens, text: 'CANARY' },
      attemptsMade: [{ ...outcome().attemptsMade[0]!, url: 'CANARY', model: 'CANARY' }],
    }
    expect(JSON.stringify(lineOf(carrying))).not.toContain('CANARY')
  })

  it('tells an absent figure from a zero', () => {
    const { fields } = lineOf({ timePerOutputTokenMs: null, ttftMs: 0 })
    expect(fields).toMatchObject({ tpotMs: null, tokensPerSecond: null, ttftMs: 0 })
  })

  it('has parts of its time that add up to all of it', () => {
    const { fields } = lineOf()
    const parts = ['readMs', 'limitMs', 'queueMs', 'lostMs', 'hostMs', 'prefillMs', 'contentMs', 'lastMs']
    const sum = parts.reduce((all, part) => all + Number(fields[part]), 0)
    expect(sum).toBeCloseTo(Number(fields['durationMs']), 0)
  })

  it('costs nothing where its level is not written', () => {
    const log = Object.assign(() => expect.unreachable(), { writes: (level: LogLevel) => level === 'error' })
    const asked: string[] = []
    const watched = new Proxy(outcome(), {
      get: (target, name: keyof Outcome) => {
        asked.push(name)
        return target[name]
      },
    })
    accessLog(log)(watched)
    expect(new Set(asked)).toEqual(new Set(['end', 'status']))
  })

  it.each([
    ['a good answer', { status: 200, end: '--' }, 'info'],
    ["the caller's own fault", { status: 400, end: 'GR' }, 'info'],
    ['a client that left', { status: 499, end: 'CD' }, 'info'],
    ['a full line', { status: 503, end: 'RQ' }, 'warn'],
    ['a host that broke off after the status', { status: 200, end: 'UD' }, 'warn'],
    ['a host that stopped after the status', { status: 200, end: 'uD' }, 'warn'],
  ] as const)('is at the level of what happened: %s', (_, differing, level) => {
    expect(lineOf(differing).level).toBe(level)
  })
})

describe('the line of a request as JSON', () => {
  /** Written as any other line, and as that of a request is. */
  function bothOf(differing: Partial<Outcome>): [string, string] {
    const texts = ['', '']
    const [any, own] = texts.map((_, at) => {
      const sink = { write: (text: string) => Boolean((texts[at] += text)), on: () => {} }
      return createLog({ format: 'json', level: 'info' }, sink, new FakeClock(0, Date.UTC(2026, 0, 2, 3, 4, 5, 6)))
    })
    accessLog((level, message, fields) => any!(level, message, fields))(outcome(differing))
    accessLog(own!)(outcome(differing))
    any!.flush()
    own!.flush()
    return [texts[0]!, texts[1]!]
  }

  it.each([
    ['a good answer', {}],
    [
      'a figure that is none',
      { durationMs: Number.NaN, ttftMs: Number.POSITIVE_INFINITY, timePerOutputTokenMs: 1 / 3 },
    ],
    ['a name that would leave its line', { model: null, askedModel: 'a"\\\r\n\u001b[31m\u009b2J\u202e\u2028\ud800é' }],
    ['an id that is too long', { requestId: '€'.repeat(400) }],
    ['a host that broke off', { status: 502, end: 'UD', errorCode: 'upstream_tls_error' }],
  ] as const)('is byte for byte that of its fields: %s', (_, differing) => {
    const [ofFields, ofRequest] = bothOf(differing)
    expect(ofRequest).toBe(ofFields)
    expect(JSON.parse(ofRequest)).toMatchObject({ time: '2026-01-02T03:04:05.006Z', msg: 'request' })
  })
})
