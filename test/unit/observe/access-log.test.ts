import { describe, expect, it } from 'vitest'
import type { LogFields, LogLevel } from '../../../src/base/log.ts'
import { accessLog } from '../../../src/observe/access-log.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
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
        endpoint: 'chat_completions',
        model: 'qwen',
        asked: undefined,
        host: 'studio',
        key: 'alice',
        class: 'default',
        stream: true,
        status: 200,
        end: '--',
        error: null,
        attempts: 1,
        queueMs: 12.3,
        ttftMs: 250,
        durationMs: 2_250,
        tokensIn: 20,
        tokensOut: 100,
        usage: 'reported',
      },
    })
  })

  it('names what was asked for where that is not a known name, so that a wrong one can be found', () => {
    expect(lineOf({ model: null, askedModel: 'qwenn' }).fields).toMatchObject({ model: null, asked: 'qwenn' })
    expect(lineOf({ model: 'qwen', askedModel: 'qwen' }).fields?.['asked']).toBeUndefined()
  })

  it('holds nothing that is not on the list, whatever else an outcome comes to carry', () => {
    const carrying = {
      prompt: 'CANARY',
      headers: { authorization: 'CANARY' },
      tokens: { ...outcome().tokens, text: 'CANARY' },
    }
    expect(JSON.stringify(lineOf(carrying))).not.toContain('CANARY')
  })

  it('tells an absent figure from a zero', () => {
    const { fields } = lineOf({ queueWaitMs: null, ttftMs: 0 })
    expect(fields).toMatchObject({ queueMs: null, ttftMs: 0 })
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
