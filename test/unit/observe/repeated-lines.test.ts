import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createLog } from '../../../src/observe/log-writer.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function written() {
  const clock = new FakeClock()
  const lines: Record<string, unknown>[] = []
  const write = (text: string) => {
    for (const line of text.trimEnd().split('\n')) lines.push(JSON.parse(line) as Record<string, unknown>)
    return true
  }
  const log = createLog({ format: 'json', level: 'info' }, Object.assign(new EventEmitter(), { write }), clock)
  return { clock, log, lines }
}

it('S13: a fault that strikes 100 times is told at once, and a second later how often more and in which request last', () => {
  const { clock, log, lines } = written()
  for (let n = 0; n < 100; n++) log('error', 'it failed', { requestId: `r${n}`, error: 'E' })
  expect(lines).toMatchObject([{ msg: 'it failed', requestId: 'r0' }])
  clock.advanceSync(1_000)
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatchObject({ level: 'error', msg: 'it failed', requestId: 'r99', error: 'E', repeated: 99 })
  expect(clock.pendingTimers).toBe(0)
})

it('S13: a flood of 50,000 faults of 1,000 sorts in 10 s is 100 lines a second at most, and none is lost from the count', () => {
  const { clock, log, lines } = written()
  for (let second = 0; second < 10; second++) {
    const before = lines.length
    for (let n = 0; n < 5_000; n++) log('warn', 'it failed', { sort: n % 1_000 })
    clock.advanceSync(1_000)
    expect(lines.length - before).toBeLessThanOrEqual(100)
  }
  const told = lines.reduce((sum, line) => sum + Number(line['repeated'] ?? line['leftOut'] ?? 1), 0)
  expect(told).toBe(50_000)
})

it('a fault that comes once in a while is told each time, and only once', () => {
  const { clock, log, lines } = written()
  log('warn', 'host is down', { host: 'a' })
  log('warn', 'host is down', { host: 'b' })
  clock.advanceSync(1_000)
  log('warn', 'host is down', { host: 'a' })
  clock.advanceSync(60_000)
  expect(lines.map(({ host }) => host)).toEqual(['a', 'b', 'a'])
})

it('each request has its line, and what is no fault is never counted together', () => {
  const { clock, log, lines } = written()
  for (let n = 0; n < 500; n++) log('warn', 'request', { status: 503 })
  for (let n = 0; n < 500; n++) log('info', 'host is up', { host: 'a' })
  clock.advanceSync(1_000)
  expect(lines).toHaveLength(1_000)
})

it('what was counted is told when the process ends', () => {
  const { clock, log, lines } = written()
  log('error', 'it failed')
  log('error', 'it failed')
  log.flush()
  expect(lines.at(-1)).toMatchObject({ repeated: 1 })
  expect(clock.pendingTimers).toBe(0)
})

/** A request that was refused before anything of it was read. */
const refusal = (n: number, differing: Record<string, unknown> = {}) => ({
  requestId: `r${n}`,
  endpoint: 'chat_completions',
  model: null,
  key: 'unknown',
  status: 401,
  end: 'GA',
  error: 'invalid_api_key',
  durationMs: n,
  ...differing,
})

describe('requests that were refused at the door', () => {
  it('have their lines while they are few', () => {
    const { clock, log, lines } = written()
    for (let second = 0; second < 3; second++) {
      for (let n = 0; n < 20; n++) log('info', 'request', refusal(n))
      clock.advanceSync(1_000)
    }
    expect(lines).toHaveLength(60)
    expect(lines.some((line) => 'repeated' in line)).toBe(false)
  })

  it('are counted where they are many: a flood of 50,000 is some 22 lines a second, and each of them is in the count', () => {
    const { clock, log, lines } = written()
    for (let second = 0; second < 10; second++) {
      for (let n = 0; n < 5_000; n++) log('info', 'request', refusal(n))
      clock.advanceSync(1_000)
    }
    expect(lines).toHaveLength(220)
    expect(lines.reduce((sum, line) => sum + Number(line['repeated'] ?? 1), 0)).toBe(50_000)
    expect(lines.at(-1)).toMatchObject({ key: 'unknown', status: 401, requestId: 'r4999', repeated: 4_979 })
    expect(clock.pendingTimers).toBe(0)
  })

  it('are counted key by key where a key is over its limit, whatever models it asks for', () => {
    const { log, lines } = written()
    const over = { status: 429, error: 'rate_limit_exceeded', model: 'm', asked: undefined }
    for (let n = 0; n < 400; n++) log('info', 'request', refusal(n, { ...over, key: n % 2 === 0 ? 'ci' : 'alice' }))
    log.flush()
    const counts = lines.slice(20).map(({ key, repeated }) => [key, repeated])
    expect(counts.slice(2)).toEqual([
      ['ci', 189],
      ['alice', 189],
    ])
  })

  it('are counted by what they asked for and why they were refused', () => {
    const { log, lines } = written()
    for (let n = 0; n < 20; n++) log('info', 'request', refusal(n))
    const sorts = [{}, { endpoint: 'embeddings' }, { status: 429, error: 'rate_limit_exceeded' }]
    for (let n = 0; n < 300; n++) log('info', 'request', refusal(n, sorts[n % 3]))
    log.flush()
    const counts = lines.slice(20).map(({ endpoint, status, repeated }) => [endpoint, status, repeated])
    expect(counts.slice(3)).toEqual([
      ['chat_completions', 401, 99],
      ['embeddings', 401, 99],
      ['chat_completions', 429, 99],
    ])
  })

  it.each([
    ['has a model', { model: 'm' }],
    ['asked for a name that is not known', { asked: 'qwenn' }],
    ['got into the line', { end: 'RQ', status: 503 }],
    ['was served', { end: '--', status: 200 }],
  ])('are no others: whoever %s has a line each time', (_, differing) => {
    const { clock, log, lines } = written()
    for (let n = 0; n < 500; n++) log('info', 'request', refusal(n, differing))
    clock.advanceSync(1_000)
    expect(lines).toHaveLength(500)
  })
})
