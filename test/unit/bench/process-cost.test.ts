/** What a process has cost, by the words of the operating system. */
import { describe, expect, test } from 'vitest'
import { cpuUsInPs, cpuUsOf, onCoreUsIn, residentBytesIn, residentBytesOf } from '../../bench/process-cost.ts'

test('a schedstat has nanoseconds on a core, time in line for one, and turns', () => {
  expect(onCoreUsIn('1234567 999999999 42\n')).toBe(1_234.567)
})

test('the memory of a process that has none any more is not known', () => {
  expect(residentBytesIn('Name:\tnode\nVmHWM:\t  999 kB\nVmRSS:\t    2048 kB\n')).toBe(2_097_152)
  expect(residentBytesIn('Name:\tnode\nState:\tZ (zombie)\n')).toBeNull()
})

test.each([
  ['  0:01.25\n', 1_250_000],
  ['12:34.56', 754_560_000],
  ['00:01:02', 62_000_000],
  ['1-02:03:04', 93_784_000_000],
  ['', null],
  ['-', null],
])('ps writes %j', (text, us) => {
  expect(cpuUsInPs(text)).toBe(us)
})

describe('of this process', () => {
  test('time on a core grows by what it computes, threads included', () => {
    const before = cpuUsOf(process.pid)
    const ownBefore = process.cpuUsage()
    for (let sum = 0, at = 0; at < 20_000_000; at++) sum += at % 7
    const own = process.cpuUsage(ownBefore)
    expect(before).not.toBeNull()
    expect(cpuUsOf(process.pid)! - before!).toBeGreaterThan((own.user + own.system) * 0.5)
  })

  test('its memory is what Node says it is, more or less', () => {
    expect(residentBytesOf(process.pid)! / process.memoryUsage().rss).toBeCloseTo(1, 0)
  })
})
