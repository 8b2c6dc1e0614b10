import { describe, expect, test } from 'vitest'
import { dialects, eventName, frameJson } from '../../../src/wire/dialect.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { eventsIn, lineEnds } from '../../kit/sse-streams.ts'

describe('eventName', () => {
  test.each<[string, string | null]>([
    ['event: ping\ndata: {}\n\n', 'ping'],
    ['event:ping\r\ndata: {}\r\n\r\n', 'ping'],
    ['event: ping\rdata: {}\r\r', 'ping'],
    ['\uFEFFevent: ping\ndata: {}\n\n', 'ping'],
    ['\nevent: ping\n\n', 'ping'],
    ['event:\ndata: {}\n\n', ''],
    ['event:  ping\n\n', ' ping'],
    ['data: {}\n\n', null],
    ['data: event: ping\n\n', null],
    [': event: ping\n\n', null],
    ['events: ping\n\n', null],
  ])('of %j is %j', (frame, name) => {
    expect(eventName(Buffer.from(frame))).toBe(name)
  })
})

describe('frameJson', () => {
  test.each<[string, unknown]>([
    ['data: {"a":1}\n\n', { a: 1 }],
    ['data:{"a":1}\n\n', { a: 1 }],
    ['data:  {"a":1}\n\n', { a: 1 }],
    ['\uFEFFdata: {"a":1}\n\n', { a: 1 }],
    ['\ndata: {"a":1}\n\n', { a: 1 }],
    ['data: {"a":\ndata: 1}\n\n', { a: 1 }],
    ['event: x\nid: 1\n: {"b":2}\ndata: {"a":1}\nretry: 5\n\n', { a: 1 }],
    ['data: {"a":"你好🦀 é"}\n\n', { a: '你好🦀 é' }],
    ['data: {"a":"\\u2028 \\r\\n data: x"}\n\n', { a: '\u2028 \r\n data: x' }],
    ['data: [DONE]\n\n', undefined],
    ['data: {"a":\n\n', undefined],
    [': comment\n\n', undefined],
    ['\n', undefined],
  ])('of %j', (frame, json) => {
    for (const lineEnd of lineEnds) {
      const text = frame.replaceAll('\n', lineEnd)
      expect(frameJson(Buffer.from(text))).toEqual(json)
    }
  })
})

describe('every dialect', () => {
  test.each(Object.entries(dialects))('%s: its own frames are one event each', (name, dialect) => {
    expect(dialect.name).toBe(name)
    const error = JSON.stringify({ error: { message: 'no' } })
    expect(eventsIn(dialect.errorFrame(error)).map(({ data }) => data)).toEqual([error])
    if (dialect.lastFrame !== null) expect(eventsIn(dialect.lastFrame).map(({ data }) => data)).toEqual(['[DONE]'])
  })

  test('an Anthropic client finds errors by the name of the event', () => {
    expect(eventsIn(dialects.messages.errorFrame('{}'))[0]?.event).toBe('error')
  })

  test('every endpoint has one', () => {
    for (const { dialect } of endpoints) expect(dialects[dialect].name).toBe(dialect)
  })

  test('usage is asked for only where the dialect can say it', () => {
    const asking = endpoints.filter(({ usageOnRequest }) => usageOnRequest).map(({ dialect }) => dialect)
    expect(asking).toEqual(['chat', 'completions'])
  })
})
