import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { accessLog } from '../../../src/observe/access-log.ts'
import { createLog } from '../../../src/observe/log-writer.ts'
import { logOptions } from '../../../src/observe/options.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const clock = new FakeClock(0, Date.UTC(2026, 0, 2, 3, 4, 5, 678))

/** A terminal that has colours, of a user who wants them or does not. */
class Terminal extends EventEmitter {
  readonly isTTY = true
  text = ''
  readonly #wantsColours: boolean

  constructor(wantsColours: boolean) {
    super()
    this.#wantsColours = wantsColours
  }

  hasColors(): boolean {
    return this.#wantsColours
  }

  write(text: string): boolean {
    this.text += text
    return true
  }
}

/** A sink whose reader can be paused: it then takes the line that fills it, says so, and wants no more. */
class Sink extends EventEmitter {
  readonly isTTY: boolean
  text = ''
  paused = false
  writesWhilePaused = 0

  constructor(isTTY = false) {
    super()
    this.isTTY = isTTY
  }

  write(text: string): boolean {
    this.text += text
    if (this.paused) this.writesWhilePaused += 1
    return !this.paused
  }

  resume(): void {
    this.paused = false
    this.emit('drain')
  }

  entries(): Record<string, unknown>[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  }
}

const json = logOptions.parse({ format: 'json', level: 'debug' })

describe('a line', () => {
  it('is JSON with time, level and message first', () => {
    const sink = new Sink()
    createLog(json, sink, clock)('warn', 'Host is down', { host: 'studio', attempts: 2, retry: false, model: null })
    expect(sink.text).toBe(
      '{"time":"2026-01-02T03:04:05.678Z","level":"warn","msg":"Host is down","host":"studio","attempts":2,"retry":false,"model":null}\n',
    )
  })

  it('is text on a terminal: absent values left out, others quoted where they need it', () => {
    const sink = new Sink(true)
    const log = createLog(logOptions.parse({}), sink, clock)
    log('info', 'Listening', { url: 'http://127.0.0.1:4000', port: 4000, model: null })
    log('error', 'Host is down', { problem: 'connection "refused"' })
    expect(sink.text).toBe(
      '03:04:05.678Z info  Listening  url=http://127.0.0.1:4000 port=4000\n' +
        '03:04:05.678Z error Host is down  problem="connection \\"refused\\""\n',
    )
  })

  it('is JSON where nobody looks on, and what was asked for everywhere', () => {
    expect(formOf('auto', false)).toBe('json')
    expect(formOf('auto', true)).toBe('text')
    expect(formOf('json', true)).toBe('json')
    expect(formOf('text', false)).toBe('text')
  })

  it('below the level is not written', () => {
    for (const [level, expected] of [
      ['debug', ['debug', 'info', 'warn', 'error']],
      ['info', ['info', 'warn', 'error']],
      ['warn', ['warn', 'error']],
      ['error', ['error']],
    ] as const) {
      const sink = new Sink()
      const log = createLog({ format: 'json', level }, sink, clock)
      for (const each of ['debug', 'info', 'warn', 'error'] as const) log(each, 'said')
      expect(sink.entries().map((entry) => entry['level'])).toEqual(expected)
      // Whoever asks before does not make fields in vain.
      const levels = ['debug', 'info', 'warn', 'error'] as const
      expect(levels.filter((one) => log.writes?.(one))).toEqual(expected)
    }
  })

  it('keeps its own time, level and message whatever the fields are called', () => {
    const sink = new Sink()
    createLog(json, sink, clock)('info', 'said', { msg: 'forged', level: 'error', time: 'never' })
    expect(sink.entries()).toEqual([{ time: '2026-01-02T03:04:05.678Z', level: 'info', msg: 'said' }])
  })
})

describe('a request on a terminal', () => {
  const written = (differing: Partial<Outcome> = {}, sink: Sink | Terminal = new Sink(true)): string => {
    accessLog(createLog(logOptions.parse({}), sink, clock))(outcome(differing))
    return sink.text
  }

  it('is what became of it and how fast it was, in one line', () => {
    expect(written()).toBe(
      '03:04:05.678Z info  200 chat_completions qwen studio alice  100 tokens 50 tok/s  queue 0.01 s ttft 0.25 s  2.25 s  id=id-1\n',
    )
  })

  it('says what went wrong, and leaves out what there is not', () => {
    const [attempt] = outcome().attemptsMade
    const line = written({
      status: 502,
      end: 'UH',
      errorCode: 'upstream_tls_error',
      attempts: 2,
      attemptsMade: [{ ...attempt!, host: 'mini' }, attempt!],
      spent: { ...outcome().spent, queueMs: 0 },
      ttftMs: null,
      timePerOutputTokenMs: null,
      tokens: { input: 20, cachedInput: 0, output: 0, reasoning: 0 },
      durationMs: 12_345,
    })
    expect(line).toBe(
      '03:04:05.678Z warn  502 chat_completions qwen studio alice  12.3 s  end=UH  error=upstream_tls_error  attemptHosts="mini studio"  id=id-1\n',
    )
  })

  it('has colours where the terminal has them and its user wants them, and nowhere else', () => {
    expect(written({}, new Terminal(true))).toContain('\u001b[32m200\u001b[0m')
    expect(written({ status: 503, end: 'RQ' }, new Terminal(true))).toContain('\u001b[31m503\u001b[0m')
    expect(written({ status: 200, end: 'UD' }, new Terminal(true))).toContain('\u001b[31m200\u001b[0m')
    expect(written({ status: 429, end: 'GA' }, new Terminal(true))).toContain('\u001b[33m429\u001b[0m')
    expect(written({}, new Terminal(false))).not.toContain('\u001b')
    expect(written({}, new Sink(true))).not.toContain('\u001b')
    const sink = new Terminal(true)
    createLog(json, sink, clock)('warn', 'said')
    expect(sink.text).not.toContain('\u001b')
  })

  it('is not steered by a name that its client made', () => {
    const line = written({ model: null, askedModel: 'x  id=forged\u001b[2J\n' }, new Terminal(false))
    expect(line).toContain('"x  id=forged\\u001b[2J\\n"')
    expect(line.slice(0, -1)).not.toMatch(/\p{Cc}/u)
  })
})

describe('a hostile value', () => {
  const hostile = 'a\r\nb\u001b[31m\u009b2J\u0000\u007f\u0085\u2028\u2029\u202e\u2066\ufeff"\\\ud800'

  it.each(['json', 'text'] as const)('stays on one line without control characters (%s)', (format) => {
    const sink = new Sink()
    createLog({ format, level: 'info' }, sink, clock)('info', hostile, { value: hostile })
    expect(sink.text.endsWith('\n')).toBe(true)
    expect(sink.text.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cf}\p{Cs}]/u)
  })

  it('is read back from JSON as it was', () => {
    const sink = new Sink()
    createLog(json, sink, clock)('info', hostile, { value: hostile })
    expect(sink.entries()[0]).toMatchObject({ msg: hostile, value: hostile })
  })

  it('cannot forge a field of a text line', () => {
    const sink = new Sink()
    createLog({ format: 'text', level: 'info' }, sink, clock)('info', 'said', { model: 'x status=200' })
    expect(sink.text).toContain('model="x status=200"\n')
  })

  it.each([
    ['one byte each', 'x', 1_024],
    ['three bytes each', '€', 341],
    ['four bytes each', '😀', 256],
  ])('is cut at 1 KiB, between characters (%s)', (_, char, charsMax) => {
    const sink = new Sink()
    const log = createLog(json, sink, clock)
    log('info', 'at the bound', { value: char.repeat(charsMax) })
    log('info', 'one past it', { value: char.repeat(charsMax + 1) })
    log('info', char.repeat(1_048_576), { value: char.repeat(1_048_576) })
    const [at, past, far] = sink.entries()
    expect(at?.['value']).toBe(char.repeat(charsMax))
    expect(past?.['value']).toBe(`${char.repeat(charsMax)}…`)
    expect(far).toMatchObject({ msg: `${char.repeat(charsMax)}…`, value: `${char.repeat(charsMax)}…` })
  })
})

describe('lines of requests', () => {
  it('of 10 ms are written together, and before whatever else is said', async () => {
    const time = new FakeClock()
    const sink = new Sink()
    const log = createLog(json, sink, time)
    const writes: string[] = []
    sink.write = (text) => writes.push(text) > 0
    for (const id of ['a', 'b']) accessLog(log)(outcome({ id }))
    await time.advance(9)
    expect(writes).toEqual([])
    await time.advance(1)
    expect(writes.map(idsIn)).toEqual([['a', 'b']])
    accessLog(log)(outcome({ id: 'c' }))
    log('error', 'Host is down')
    expect(writes.slice(1).map(idsIn)).toEqual([['c'], [undefined]])
    accessLog(log)(outcome({ id: 'd' }))
    log.flush()
    expect(idsIn(writes.at(-1)!)).toEqual(['d'])
    await time.advance(1_000)
    expect(writes).toHaveLength(4)
  })

  it('wait for a reader that does not keep up, and are counted where it went away', async () => {
    const time = new FakeClock()
    const sink = new Sink()
    const log = createLog(json, sink, time)
    sink.paused = true
    log('info', 'filled the pipe')
    accessLog(log)(outcome({ id: 'a' }))
    sink.resume()
    accessLog(log)(outcome({ id: 'b' }))
    expect(sink.entries().map((entry) => entry['id'])).toEqual([undefined, 'a'])
    sink.emit('error', new Error('EPIPE'))
    await time.advance(0)
    expect(log.dropped()).toBe(1)
    expect(sink.entries()).toHaveLength(2)
  })
})

function idsIn(text: string): unknown[] {
  const lines = text.trimEnd().split('\n')
  return lines.map((line) => (JSON.parse(line) as Record<string, unknown>)['id'])
}

describe('a reader that does not keep up', () => {
  /** With the 1,024 characters of its value a line is a little over 1 KiB, so some 950 of them fill 1 MiB. */
  const value = 'x'.repeat(1_024)

  it('is given nothing until it drained, and then everything that waited, in order', () => {
    const sink = new Sink()
    const log = createLog(json, sink, clock)
    sink.paused = true
    for (let index = 0; index < 10; index += 1) log('info', 'said', { index })
    expect(sink.writesWhilePaused).toBe(1)
    sink.resume()
    expect(sink.entries().map((entry) => entry['index'])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(log.dropped()).toBe(0)
  })

  it('costs lines past a bound, which are counted and told once it drained', () => {
    const sink = new Sink()
    const log = createLog(json, sink, clock)
    sink.paused = true
    for (let index = 0; index < 2_000; index += 1) log('info', 'said', { index, value })
    const dropped = log.dropped()
    expect(dropped).toBeGreaterThan(900)
    sink.resume()
    const entries = sink.entries()
    expect(entries.length - 1 + dropped).toBe(2_000)
    expect(entries.at(-1)).toMatchObject({ level: 'warn', msg: 'Log lines were dropped', dropped })
    log('info', 'again')
    expect(sink.entries().at(-1)).toMatchObject({ msg: 'again' })
  })

  it('is told only of what was dropped since it was last told', () => {
    const sink = new Sink()
    const log = createLog(json, sink, clock)
    const told: unknown[] = []
    for (let round = 0; round < 2; round += 1) {
      sink.paused = true
      for (let index = 0; index < 2_000; index += 1) log('info', 'said', { value })
      sink.resume()
      told.push(sink.entries().at(-1)?.['dropped'])
    }
    expect(Number(told[0]) + Number(told[1])).toBe(log.dropped())
    expect(told[0]).toBe(told[1])
  })

  it('may go away: what follows is counted, and nothing throws', () => {
    const sink = new Sink()
    const log = createLog(json, sink, clock)
    sink.paused = true
    log('info', 'filled the pipe')
    log('info', 'waited')
    sink.emit('error', new Error('EPIPE'))
    log('info', 'had no reader')
    sink.resume()
    expect(log.dropped()).toBe(2)
    expect(sink.entries()).toHaveLength(1)
  })
})

function formOf(format: 'auto' | 'json' | 'text', isTTY: boolean): 'json' | 'text' {
  const sink = new Sink(isTTY)
  createLog(logOptions.parse({ format }), sink, clock)('info', 'said')
  return sink.text.startsWith('{') ? 'json' : 'text'
}
