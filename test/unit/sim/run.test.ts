/** The simulator as a command: what it prints, and how it ends. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const script = fileURLToPath(new URL('../../sim/run.ts', import.meta.url))
const timeout = 60_000

function sim(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...argv], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

it('ends with 1 and one sentence for what it cannot do', { timeout }, () => {
  const refused = sim('--trace', join(tmpdir(), 'lmx-sim-no-such-trace.csv'))
  expect(refused.stdout).toBe('')
  expect(refused.stderr).toMatch(/^[^\n]*lmx-sim-no-such-trace\.csv cannot be read: ENOENT[^\n]*\n$/)
  expect(refused.status).toBe(1)
})

it('prints what several gateways make of a workload, beside one, as a table and for a program', { timeout }, () => {
  const given = ['--workload', 'W4', '--seeds', '1', '--replicas', '1,2', '--placement', 'by_key']
  const tables = sim(...given)
  const json = sim(...given, '--without', 'claims', '--json')
  for (const { status, stderr } of [tables, json]) expect([status, stderr]).toEqual([0, ''])
  expect(tables.stdout).toMatch(/^gateways +requests come to +lead max +bound +out tok\/s +of one +too many +/m)
  expect(tables.stdout).toMatch(/^ +1 +it +\d+ +60104 +[\d.]+ +100\.0 % +0 /m)
  expect(tables.stdout).toMatch(/^ +2 +by_key +\d+ +60\d{3} +[\d.]+ +\d+\.\d % +0 /m)
  expect(JSON.parse(json.stdout)).toMatchObject({
    results: [{ workload: 'W4', seeds: [1], rows: [{ replicas: 1 }, { replicas: 2, placement: 'by_key' }] }],
  })
  const refused = sim('--workload', 'W7', '--replicas', '2')
  expect([refused.status, refused.stdout]).toEqual([1, ''])
  expect(refused.stderr).toBe('W7 is for one gateway alone: its hosts load models or fail.\n')
})

it('prints what each order makes of a trace, as tables and for a program', { timeout }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmx-sim-'))
  const path = join(folder, 'trace.jsonl')
  const row = (at: number) => JSON.stringify({ timestamp: at * 500, input_length: 900, output_length: 50 + (at % 7) })
  writeFileSync(path, Array.from({ length: 60 }, (_, at) => row(at)).join('\n'))
  const given = ['--trace', path, '--order', 'token-fair,cap-2', '--seeds', '1,2']
  const tables = sim(...given, '--policy', 'fastest')
  const both = sim(...given, '--policy', 'fastest,random')
  const json = sim(...given, '--policy', 'fastest', '--json')
  rmSync(folder, { recursive: true })
  for (const { status, stderr } of [tables, both, json]) expect([status, stderr]).toEqual([0, ''])
  expect(tables.stdout).toMatch(/^trace +token-fair +60 +100 /m)
  expect(tables.stdout).toMatch(/^cap-2 +60 /m)
  expect(tables.stdout).toMatch(/^order .* gap max +gap bound /m)
  // What is the same in all rows has no column, nor has what nothing is known of.
  expect(tables.stdout).not.toMatch(/policy|hit %/)
  expect(both.stdout).toMatch(/^order +policy +requests /m)
  expect(both.stdout).toMatch(/^cap-2 +random +60 /m)
  // Eight slots, and the dearest of the requests.
  const gapBound = 8 * (900 + 2 * 56)
  const runs = [{ overall: { requests: 60, gapBound } }, { streams: { trace: { doneShare: 100 } } }]
  expect(JSON.parse(json.stdout)).toMatchObject({
    results: [
      {
        seeds: [1, 2],
        rows: [
          { order: 'token-fair', policy: 'fastest', runs },
          { order: 'cap-2', policy: 'fastest', runs },
        ],
      },
    ],
    adaptive: null,
  })
})
