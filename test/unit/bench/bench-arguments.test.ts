/** What the benchmark may be told, and the sentences where it makes no sense. */
import { expect, test } from 'vitest'
import { benchHelp, readBenchArguments } from '../../bench/bench-arguments.ts'
import { partNames } from '../../bench/parts/all-parts.ts'
import { targetNames } from '../../bench/targets/target.ts'

test('without flags every part but the soak is measured in its full form, beside no other commit', () => {
  expect(readBenchArguments([])).toEqual({
    baseline: null,
    parts: new Set(partNames.filter((name) => name !== 'soak')),
    targets: new Set(targetNames),
    rounds: 6,
    scale: 1,
    waiting: [100, 10_000, 100_000],
    steps: 10_000,
    soakMinutes: 10,
    fromSource: false,
    json: null,
    svg: null,
    force: false,
  })
})

test('the quick form has fewer rounds and shorter measurements, and what is given beside it counts', () => {
  expect(readBenchArguments(['--quick'])).toMatchObject({
    targets: new Set(['direct', 'nginx', 'baseline', 'gateway']),
    rounds: 3,
    scale: 0.25,
    waiting: [100, 100_000],
    steps: 2_000,
  })
  expect(readBenchArguments(['--quick', '--rounds', '5', '--scale', '0.5'])).toMatchObject({ rounds: 5, scale: 0.5 })
})

test('every flag is heard', () => {
  const args =
    '--baseline v1 --parts tokens,line --targets nginx --rounds 3 --scale 0.1 --waiting 5,6 --steps 8 --soak-minutes 2 --json a --svg=b'
  expect(readBenchArguments([...args.split(' '), '--from-source', '--force'])).toEqual({
    baseline: 'v1',
    parts: new Set(['tokens', 'line']),
    targets: new Set(['nginx']),
    rounds: 3,
    scale: 0.1,
    waiting: [5, 6],
    steps: 8,
    soakMinutes: 2,
    fromSource: true,
    json: 'a',
    svg: 'b',
    force: true,
  })
})

test.each(['--help', '-h'])('%s asks for the help, which names every flag', (flag) => {
  expect(readBenchArguments(['--rounds', '0', flag])).toBe('help')
  const flags =
    'baseline parts targets rounds quick scale waiting steps soak-minutes from-source json svg force help'.split(' ')
  for (const name of flags) expect(benchHelp).toContain(`  --${name} `)
})

test.each([
  [['--parts', 'lines'], `--parts knows ${partNames.join(', ')}, not "lines"`],
  [['--targets', 'nginx,envoy'], `--targets knows ${targetNames.join(', ')}, not "envoy"`],
  [['--parts', ''], `--parts knows ${partNames.join(', ')}, not ""`],
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 1000, not "0"'],
  [['--rounds', '1.5'], '--rounds must be a whole number from 1 to 1000, not "1.5"'],
  [['--scale', 'big'], '--scale must be a number from 0.001 to 100, not "big"'],
  [['--scale', '0'], '--scale must be a number from 0.001 to 100, not "0"'],
  [['--waiting', '100,'], '--waiting must be a whole number from 1 to 1000000, not ""'],
  [['--round', '3'], 'unknown flag --round; did you mean "--rounds"?'],
  [['--baseline'], '--baseline needs a value: --baseline REF'],
  [['main'], '"main" is not expected here'],
])('%j is refused', (args, sentence) => {
  expect(() => readBenchArguments(args)).toThrow(sentence)
})
