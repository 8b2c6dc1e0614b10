import { describe, expect, it } from 'vitest'
import { readOpenMetrics } from '../../kit/open-metrics.ts'

const histogram = [
  '# HELP t Times.',
  '# TYPE t histogram',
  't_bucket{a="b",le="1.0"} 1 # {request_id="r"} 0.5 1700000000.000',
  't_bucket{a="b",le="+Inf"} 2',
  't_sum{a="b"} 3.5',
  't_count{a="b"} 2',
]
const text = (lines: readonly string[]) => `${lines.join('\n')}\n# EOF\n`

describe('the reader of OpenMetrics', () => {
  it('reads types, samples and exemplars', () => {
    const read = readOpenMetrics(text(['# TYPE c counter', 'c_total{x="a\\"b"} 1', ...histogram]))
    expect(Object.fromEntries(read.types)).toEqual({ c: 'counter', t: 'histogram' })
    expect(read.samples.get('c_total{x="a\\"b"}')).toBe(1)
    expect(read.exemplars.get('t_bucket{a="b",le="1.0"}')).toEqual({
      labels: { request_id: 'r' },
      value: 0.5,
      atSeconds: 1_700_000_000,
    })
  })

  it.each([
    ['no end', `${histogram.join('\n')}\n`, '# EOF'],
    ['an empty line', text(['# TYPE g gauge', '', 'g 1']), 'not a sample'],
    ['a counter that is described by the name of its sample', text(['# TYPE c_total counter', 'c_total 1']), 'suffix'],
    ['a counter without its suffix', text(['# TYPE c counter', 'c 1']), 'stands under'],
    ['a counter below 0', text(['# TYPE c counter', 'c_total -1']), 'is -1'],
    ['a series twice', text(['# TYPE g gauge', 'g 1', 'g 2']), 'twice'],
    ['a family in two places', text(['# TYPE g gauge', 'g 1', '# TYPE h gauge', 'h 1', '# HELP g G']), 'two places'],
    ['an edge that is a whole number', text(histogram.map((line) => line.replace('1.0', '1'))), 'le is 1'],
    ['buckets that go down', text(histogram.map((line) => line.replace('} 1 #', '} 3 #'))), 'goes down'],
    ['no last bucket', text(histogram.filter((line) => !line.includes('+Inf'))), 'no +Inf'],
    [
      'a count that is not the last bucket',
      text(histogram.map((line) => line.replace('} 2', '} 4'))).replace('"+Inf"} 4', '"+Inf"} 2'),
      'counts 4',
    ],
    ['a long exemplar', text(histogram.map((line) => line.replace('"r"', `"${'r'.repeat(119)}"`))), '129 characters'],
    ['an exemplar of a gauge', text(['# TYPE g gauge', 'g 1 # {a="b"} 1 1']), 'no exemplar'],
    ['a quote in a help text', text(['# HELP g a "b"', '# TYPE g gauge']), 'not escaped'],
  ])('refuses %s', (_, given, problem) => {
    expect(() => readOpenMetrics(given)).toThrow(problem)
  })
})
