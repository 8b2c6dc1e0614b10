/** What counts against limits of requests is the same while a gateway runs and after its restart, however a request ends. */
import { expect, it } from 'vitest'
import type { EndCode } from '../../../src/relay/outcome.ts'
import { countsAsRequest } from '../../../src/relay/request-account.ts'
import { memoryPath } from '../../../src/stores/database.ts'
import { UsageFile } from '../../../src/stores/usage-file.ts'
import { admittedRequest, settledRow, storedAtMs } from '../../kit/stored-rows.ts'

const ends: readonly EndCode[] = [
  '--',
  ...(['C', 'c', 'U', 'u', 'G', 'R', 'A'] as const).flatMap((who) =>
    (['R', 'A', 'Q', 'C', 'H', 'F', 'D', 'L'] as const).map((phase): EndCode => `${who}${phase}`),
  ),
]
const uses = [
  { input: 0, output: 0 },
  { input: 5, output: 0 },
  { input: 0, output: 5 },
]
const cases = ends.flatMap((end) => uses.map((use) => ({ end, ...use })))

function opened() {
  const usage = new UsageFile(memoryPath, { endsUnfinished: false, creates: true })
  return { usage, [Symbol.dispose]: () => usage.close() }
}

it('is counted by the ledger as it was when it ended', async () => {
  using file = opened()
  await file.usage.write(
    cases.map(({ end, input, output }, i) =>
      settledRow(`r${i}`, output, {
        admitted: { keyId: `${end} ${input} ${output}`, startedAtMs: storedAtMs + i },
        settled: { end, input },
      }),
    ),
  )
  const expected = cases.map(({ end, input, output }) => [
    `${end} ${input} ${output}`,
    Number(countsAsRequest(end, { input, output })),
  ])
  const inOrder = (await file.usage.charges(0)).map(({ keyId, requests }) => [keyId, requests])
  expect(inOrder).toEqual(expected)
  const totals = (await file.usage.totals({ dayMs: 0, monthMs: 0 })).month.map(
    ({ keyId, requests }) => [keyId, requests] as const,
  )
  expect(Object.fromEntries(totals)).toEqual(Object.fromEntries(expected))
})

it('what a host refused counts, what it failed does not', () => {
  const nothing = { input: 0, output: 0 }
  const counting = ends.filter((end) => countsAsRequest(end, nothing))
  expect(counting.toSorted()).toEqual(
    ['--', 'CD', 'CF', 'CH', 'CL', 'GD', 'GF', 'GH', 'GL', 'cD', 'cF', 'cH', 'cL'].toSorted(),
  )
})

it('of what has not ended, or whose gateway died, each counts', async () => {
  using file = opened()
  await file.usage.write([
    { admitted: admittedRequest('open'), figures: null, settled: null },
    settledRow('died', 0, { settled: { end: 'aborted_unknown', input: 0 } }),
    settledRow('failed', 0, { settled: { end: 'UH', input: 0 } }),
  ])
  expect((await file.usage.totals({ dayMs: 0, monthMs: 0 })).month.map(({ requests }) => requests)).toEqual([2])
})
