/** What a process has cost, by the words of the operating system. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { cpuUsInPs, cpuUsOf, onCoreUsIn, residentBytesIn, residentBytesOf } from '../../bench/process-cost.ts'

/** Tells what it has used once it has computed for a while, and waits. */
const computing = `
  for (let sum = 0, at = 0; at < 20_000_000; at++) sum += at % 7
  const { user, system } = process.cpuUsage()
  process.stdout.write(String(user + system))
  process.stdin.resume()
`

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

test('time on a core grows by what a process computes', async () => {
  // Not of this process: a thread of it that ends takes its time with it.
  const child = spawn(process.execPath, ['--eval', computing], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const told: unknown[] = await once(child.stdout.setEncoding('utf8'), 'data')
    expect(cpuUsOf(child.pid!)).toBeGreaterThan(Number(told[0]) * 0.5)
  } finally {
    child.kill('SIGKILL')
  }
})

test('the memory of this process is what Node says it is, more or less', () => {
  expect(residentBytesOf(process.pid)! / process.memoryUsage().rss).toBeCloseTo(1, 0)
})
