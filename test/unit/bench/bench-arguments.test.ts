/** What the benchmark may be told, and the sentences where it makes no sense. */
import { expect, test } from 'vitest'
import { benchHelp, readBenchArguments } from '../../bench/bench-arguments.ts'

test('without flags everything is compared with the commit before', () => {
  expect(readBenchArguments([])).toEqual({
    baseline: 'HEAD~1',
    parts: new Set(['line', 'choosing', 'stream', 'request']),
    rounds: 10,
    streams: 64,
    tokens: 300,
    requests: 4_000,
    waiting: [100, 10_000, 100_000],
    steps: 10_000,
    json: false,
    force: false,
  })
})

test('every flag is heard', () => {
  const args =
    '--baseline v1 --parts stream,line --rounds 3 --streams 2 --tokens=7 --requests 9 --waiting 5,6 --steps 8'
  expect(readBenchArguments([...args.split(' '), '--json', '--force'])).toEqual({
    baseline: 'v1',
    parts: new Set(['stream', 'line']),
    rounds: 3,
    streams: 2,
    tokens: 7,
    requests: 9,
    waiting: [5, 6],
    steps: 8,
    json: true,
    force: true,
  })
})

test.each(['--help', '-h'])('%s asks for the help, which names every flag', (flag) => {
  expect(readBenchArguments(['--rounds', '0', flag])).toBe('help')
  for (const name of [
    'baseline',
    'parts',
    'rounds',
    'streams',
    'tokens',
    'requests',
    'waiting',
    'steps',
    'json',
    'force',
  ]) {
    expect(benchHelp).toContain(`  --${name} `)
  }
})

test.each([
  [['--parts', 'lines'], '--parts knows line, choosing, stream, request, not "lines"'],
  [['--parts', ''], '--parts knows line, choosing, stream, request, not ""'],
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 1000, not "0"'],
  [['--rounds', '1.5'], '--rounds must be a whole number from 1 to 1000, not "1.5"'],
  [['--requests', 'many'], '--requests must be a whole number from 1 to 1000000, not "many"'],
  [['--waiting', '100,'], '--waiting must be a whole number from 1 to 1000000, not ""'],
  [['--round', '3'], 'unknown flag --round; did you mean "--rounds"?'],
  [['--baseline'], '--baseline needs a value: --baseline REF'],
  [['main'], '"main" is not expected here'],
])('%j is refused', (args, sentence) => {
  expect(() => readBenchArguments(args)).toThrow(sentence)
})
