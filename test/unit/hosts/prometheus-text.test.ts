import { expect, test } from 'vitest'
import { gauge } from '../../../src/hosts/kinds/prometheus-text.ts'

const text = `# HELP x:running Requests.
# TYPE x:running gauge
x:running{engine="0"} 2.0
x:running{engine="1"} 3 1700000000000
x:running_total{engine="0"} 99
lone 7
tabbed\t8
broken{a="b"} soon
negative -1
nothing NaN
hostile{client="he said "} 5" and } 6
`

test('a gauge is the sum of its series, or the largest of them, by its whole name', () => {
  expect(gauge(text, 'x:running')).toBe(5)
  expect(gauge(text, 'x:running', 'largest')).toBe(3)
  expect(gauge(text, 'lone')).toBe(7)
  expect(gauge(text, 'tabbed')).toBe(8)
  expect(gauge('first 1\n', 'first')).toBe(1)
  expect(gauge('a 1\nlast 2', 'last')).toBe(2)
  expect(gauge('crlf 4\r\n', 'crlf')).toBe(4)
})

test('it is nothing where it is missing, or where a series of it is no number from 0 on', () => {
  for (const name of ['missing', 'x', 'broken', 'negative', 'nothing', 'HELP', ''])
    expect(gauge(text, name)).toBeUndefined()
})

test('what a client wrote into a label is not read', () => {
  expect(gauge(text, 'hostile')).toBe(6)
  const planted = 'clients{client="\nlmx_queued_requests{} 999\n"} 1\nlmx_queued_requests 2\n'
  // A line of its own cannot be told from a true one: it counts with it, and stays a hint.
  expect(gauge(planted, 'lmx_queued_requests')).toBe(1_001)
})

test('a line without end, or a name without number, ends the search', () => {
  expect(gauge(`big{label="${'x'.repeat(1_000_000)}"} 3\nother 4`, 'big')).toBeUndefined()
  expect(gauge('x '.repeat(100_000), 'x')).toBeUndefined()
  expect(gauge('many{a="1"} 1\n'.repeat(5_000), 'many')).toBe(1_000)
})
