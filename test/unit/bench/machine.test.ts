/** When the benchmark refuses to measure, and which cores it gives to whom. */
import { describe, expect, test } from 'vitest'
import {
  coresOf,
  coreTimesIn,
  endingWithParent,
  type MachineLoad,
  onCores,
  reasonsNotToMeasure,
} from '../../bench/machine.ts'

const quiet: MachineLoad = { cores: 2, loadAverage: 0.3, busyShare: 0.02, stolenShare: 0 }

describe('reasons not to measure', () => {
  test('a quiet machine has none, and what a system does not tell is none', () => {
    expect(reasonsNotToMeasure(quiet)).toEqual([])
    expect(reasonsNotToMeasure({ ...quiet, stolenShare: null })).toEqual([])
  })

  test.each<[Partial<MachineLoad>, string]>([
    [{ loadAverage: 1.34 }, 'the load average of the last minute is 1.34, at most 1.0 on 2 cores'],
    [{ busyShare: 0.4 }, 'other programs use 40.0 % of the cores, at most 10.0 %'],
    [{ stolenShare: 0.051 }, '5.1 % of the time was taken by other machines, at most 2.0 %'],
  ])('%j', (seen, sentence) => {
    expect(reasonsNotToMeasure({ ...quiet, ...seen })).toEqual([sentence])
  })

  test('the load average counts for each core', () => {
    expect(reasonsNotToMeasure({ ...quiet, cores: 8, loadAverage: 1.34 })).toEqual([])
  })

  test('all of them are said', () => {
    expect(reasonsNotToMeasure({ cores: 1, loadAverage: 9, busyShare: 1, stolenShare: 1 })).toHaveLength(3)
  })
})

describe('cores', () => {
  test.each([
    [1, true, { gateway: null, load: null }],
    [2, true, { gateway: '1', load: '0' }],
    [8, true, { gateway: '7', load: '0-6' }],
    [8, false, { gateway: null, load: null }],
  ])('of %d, where processes can be pinned: %s', (count, canPin, cores) => {
    expect(coresOf(count, canPin)).toEqual(cores)
  })

  test('a command without a core runs as it is', () => {
    expect(onCores(null, 'node', ['a.ts'])).toEqual(['node', ['a.ts']])
    expect(onCores('1', 'node', ['a.ts'])).toEqual(['taskset', ['-c', '1', 'node', 'a.ts']])
  })
})

test('a command ends with the process that started it, where the system can see to that', () => {
  expect(endingWithParent('node', ['a.ts'], 'TERM', true)).toEqual(['setpriv', ['--pdeathsig', 'TERM', 'node', 'a.ts']])
  expect(endingWithParent('node', ['a.ts'], 'KILL', false)).toEqual(['node', ['a.ts']])
})

test('what /proc/stat says of all cores: waiting for a disk is idle, and the time of guests is in that of users', () => {
  const stat = 'cpu  100 1 20 700 30 2 3 44 50 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n'
  expect(coreTimesIn(stat)).toEqual({ all: 900, idle: 730, stolen: 44 })
})
