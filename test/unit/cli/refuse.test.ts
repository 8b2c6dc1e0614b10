import { expect, test } from 'vitest'
import { refuse } from '../../../src/cli/refuse.ts'
import type { Problem } from '../../../src/config/problem.ts'

function refused(problems: readonly Problem[]) {
  const lines: string[] = []
  const code = refuse(problems, { out: () => {}, err: (text) => lines.push(...text.split('\n')) })
  return { code, lines }
}

const flag: Problem = { source: '--port', line: null, column: null, path: '', message: 'wrong' }
function inFile(line: number, path = 'a.b'): Problem {
  return { source: 'f.yaml', line, column: 3, path, message: 'wrong' }
}

test('a few problems: each with its whole place', () => {
  expect(refused([flag, inFile(1), inFile(2, '')])).toEqual({
    code: 1,
    lines: ['lmx-gateway: --port: wrong', 'lmx-gateway: f.yaml:1:3 a.b: wrong', 'lmx-gateway: f.yaml:2:3: wrong'],
  })
})

test('more than three: the file once, and their number at the end', () => {
  expect(refused([flag, inFile(1), inFile(2, ''), inFile(3)])).toEqual({
    code: 1,
    lines: [
      'lmx-gateway: --port: wrong',
      'lmx-gateway: in f.yaml:',
      '  1:3 a.b: wrong',
      '  2:3: wrong',
      '  3:3 a.b: wrong',
      'lmx-gateway: 4 problems',
    ],
  })
})

test('more than three without a file need no heading', () => {
  expect(refused([flag, flag, flag, flag]).lines).toEqual([
    ...Array.from({ length: 4 }, () => 'lmx-gateway: --port: wrong'),
    'lmx-gateway: 4 problems',
  ])
})
