import { describe, expect, test } from 'vitest'
import type { UsageQuery, UsageSum } from '../../../src/metering/ledger-store.ts'
import { usageCsv, usageReport } from '../../../src/metering/usage-report.ts'

const query: UsageQuery = {
  by: ['key', 'day'],
  fromMs: Date.UTC(2026, 10, 1),
  toMs: null,
  key: null,
  team: null,
  model: null,
  host: null,
  timeZone: 'UTC',
}

const sum: UsageSum = {
  group: { day: '2026-11-02', key: 'alice' },
  keyId: 'a1',
  requests: 3,
  failed: 1,
  unfinished: 0,
  input: 1_000_000,
  cachedInput: 10,
  output: 20,
  reasoning: 5,
  inputUnreported: 0,
  outputUnreported: 2,
  costNanos: 100,
}

describe('a report of usage', () => {
  test('has a total, numbers as numbers and the cost in its currency', () => {
    const nobody = { ...sum, group: { key: null, day: '2026-11-03' }, keyId: null, costNanos: 2_500_000_000 }
    expect(usageReport(query, [sum, nobody], 'EUR')).toEqual({
      from: '2026-11-01T00:00:00.000Z',
      to: null,
      timeZone: 'UTC',
      currency: 'EUR',
      by: ['key', 'day'],
      rows: [
        expect.objectContaining({ key: 'alice', keyId: 'a1', day: '2026-11-02', input: 1_000_000, cost: 1e-7 }),
        expect.objectContaining({ key: null, keyId: null, day: '2026-11-03', cost: 2.5 }),
      ],
      total: expect.objectContaining({
        requests: 6,
        failed: 2,
        input: 2_000_000,
        outputUnreported: 4,
        cost: 2.5000001,
      }) as unknown,
    })
  })

  test('as CSV: a header, one line a row, no power of ten', () => {
    expect(usageCsv(usageReport(query, [sum], 'USD'))).toBe(
      'key,keyId,day,requests,failed,unfinished,input,cachedInput,output,reasoning,inputUnreported,outputUnreported,cost,currency\r\n' +
        'alice,a1,2026-11-02,3,1,0,1000000,10,20,5,0,2,0.0000001,USD\r\n',
    )
  })

  test.each([
    ['=1+1', "'=1+1"],
    ['+1', "'+1"],
    ['-1', "'-1"],
    ['@a', "'@a"],
    ['a,b', '"a,b"'],
    ['a "b"', '"a ""b"""'],
    ['=a,"b"\n', `"'=a,""b""\n"`],
    ['a-b=c', 'a-b=c'],
  ])('the name %j stands in CSV as %s', (key, cell) => {
    const csv = usageCsv(usageReport({ ...query, by: ['key'] }, [{ ...sum, group: { key } }], 'USD'))
    expect(csv.split('\r\n')[1]).toBe(`${cell},a1,3,1,0,1000000,10,20,5,0,2,0.0000001,USD`)
  })
})
