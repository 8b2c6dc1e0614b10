import { expect, test } from 'vitest'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'

test('keys without end have a bounded number of counters, and no token is lost or counted twice', () => {
  const tallies = new TokenTallies()
  const first = tallies.tally('m', 'h', 'key 0')
  for (let at = 0; at < 30_000; at += 1) tallies.tally('m', 'h', `key ${at}`).output += 1
  for (let at = 0; at < 3_000; at += 1) tallies.tally(`model ${at}`, 'h', 'new').output += 1
  first.output += 1
  const all = [...tallies]
  expect(all.length).toBeLessThanOrEqual(11_001)
  expect(all.reduce((sum, { output }) => sum + output, 0)).toBe(33_001)
  expect(tallies.tally('m', 'h', 'key 0').output).toBe(2)
  expect(tallies.tally('m', 'h', 'one more')).toMatchObject({ model: 'm', host: 'h', key: 'other', output: 20_000 })
  expect(tallies.tally('one more', 'h', 'new')).toMatchObject({ model: 'other', host: 'other', key: 'other' })
})
