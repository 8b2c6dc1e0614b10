import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { UsageFile } from '../../../src/stores/usage-file.ts'
import { UsageReport } from '../../../src/stores/usage-report.ts'
import { settledRow, usageQuery } from '../../kit/stored-rows.ts'

afterEach(() => {
  vi.restoreAllMocks()
})

test('one report is summed at a time, and rows are written between two of its slices', async () => {
  const file = new UsageFile(':memory:', { endsUnfinished: false, creates: true })
  await file.write([settledRow('r1', 1)])
  const order: (UsageReport | string)[] = []
  vi.spyOn(UsageReport.prototype, 'addSlice').mockImplementation(function slice(this: UsageReport) {
    order.push(this)
    return order.filter((one) => one === this).length === 3
  })
  const reported = [file.usage(usageQuery()), file.usage(usageQuery({ by: ['key'] }))]
  while (order.length === 0) await turn()
  await file.write([settledRow('r2', 1)])
  order.push('written')
  await Promise.all(reported)
  const reports = [...new Set(order)].filter((one) => one !== 'written')
  expect(reports).toHaveLength(2)
  expect(order.filter((one) => one !== 'written').map((one) => reports.indexOf(one))).toEqual([0, 0, 0, 1, 1, 1])
  expect(order.indexOf('written')).toBeLessThan(3)
  file.close()
})

test('a report that fails holds up no other', async () => {
  const file = new UsageFile(':memory:', { endsUnfinished: false, creates: true })
  await file.write([settledRow('r1', 1)])
  const failed = file.usage(usageQuery({ by: ['key'], rowsMax: 0 }))
  const next = file.usage(usageQuery())
  await expect(failed).rejects.toThrow(/more than 0 rows/)
  expect(await next).toMatchObject([{ requests: 1 }])
  file.close()
})
