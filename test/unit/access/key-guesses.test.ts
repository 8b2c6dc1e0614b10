import { expect, test } from 'vitest'
import { KeyGuesses, networkOf } from '../../../src/access/key-guesses.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function guesses(failedKeysPerMinute = 20) {
  const clock = new FakeClock()
  const counted = new KeyGuesses({ failedKeysPerMinute, clock })
  const failures = (count: number, address = '10.0.0.5') =>
    Array.from({ length: count }, () => counted.failed(address)).filter((refusal) => refusal === null).length
  return { clock, counted, failures }
}

test('X04: of a thousand wrong keys in a moment 20 are told so and the rest 429, with the time until the next', () => {
  const { clock, counted, failures } = guesses()
  expect(failures(1_000)).toBe(20)
  const refusal = counted.failed('10.0.0.5')
  expect(refusal).toMatchObject({ code: 'rate_limit_exceeded', kind: { status: 429 }, retryAfterMs: 3_000 })
  clock.advanceSync(2_999)
  expect(counted.failed('10.0.0.5')?.retryAfterMs).toBe(1)
  clock.advanceSync(1)
  expect(failures(10)).toBe(1)
  clock.advanceSync(60_000)
  expect(failures(1_000)).toBe(20)
})

test('X04: whoever goes on is no worse off, nor better: 20 a minute in the long run', () => {
  const { clock, failures } = guesses()
  let told = 0
  for (let second = 0; second < 600; second++) {
    told += failures(50)
    clock.advanceSync(1_000)
  }
  expect(told).toBeGreaterThanOrEqual(20 + 9 * 20)
  expect(told).toBeLessThanOrEqual(20 + 10 * 20)
})

test.each([1, 7, 11, 13, 20, 61, 1_000])('X04: exactly %i go through at once when so many may in a minute', (limit) => {
  const { clock, failures } = guesses(limit)
  expect(failures(limit + 10)).toBe(limit)
  clock.advanceSync(60_001)
  expect(failures(limit + 10)).toBe(limit)
})

test('X04: addresses are apart, but those of one IPv6 network are not', () => {
  const { failures } = guesses()
  expect(failures(30, '10.0.0.5')).toBe(20)
  expect(failures(30, '10.0.0.6')).toBe(20)
  expect(failures(15, '2001:db8:0:1::1')).toBe(15)
  expect(failures(15, '2001:db8:0:1:ffff::2')).toBe(5)
  expect(failures(15, '2001:db8:0:2::1')).toBe(15)
})

test('X04: an address that keeps failing is remembered, however many others come', () => {
  const { failures } = guesses()
  expect(failures(21, 'fe80::1')).toBe(20)
  for (let other = 0; other < 30_000; other++) {
    failures(1, `10.${other >> 16}.${(other >> 8) & 255}.${other & 255}`)
    if (other % 5_000 === 0) expect(failures(1, 'fe80::1')).toBe(0)
  }
})

test.each([
  ['10.0.0.5', '10.0.0.5'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0000:0001::', '2001:db8:0:1::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['1::2:3:4:5:6:7', '1:0:2:3::/64'],
  ['::ffff:10.0.0.5', '::ffff:10.0.0.5'],
  ['', ''],
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network)
})
