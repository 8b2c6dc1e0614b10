/** `npm run bench`, as short as it goes: every part runs, counts what it relayed, and leaves nothing behind. */
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { BenchReport } from '../bench/bench-report.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { eventually } from '../kit/within.ts'

/** Of the benchmark alone, so that what it leaves there can be seen. */
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-bench-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

function bench(args: readonly string[]): RunningProcess {
  const script = join(repositoryRoot, 'test/bench/run.ts')
  return new RunningProcess(process.execPath, [script, ...args], { cwd: repositoryRoot, env: { TMPDIR: folder } })
}

const short = '--rounds 1 --streams 4 --tokens 5 --requests 20 --waiting 50 --steps 50 --json --force'.split(' ')

test('one short round of all parts', async () => {
  await using child = bench([...short, '--baseline', 'HEAD'])
  const end = await child.end(60_000)
  expect(end, child.err).toEqual({ code: 0, signal: null })
  const report = JSON.parse(child.out) as BenchReport
  const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repositoryRoot, encoding: 'utf8' })
  expect(report).toMatchObject({ node: process.versions.node, before: head.slice(0, 8), rounds: 1 })
  expect(report.relayed).toEqual({ tokens: 2 * 4 * 5, requests: 2 * 20 })
  expect(report.gateways.map(({ name }) => name)).toEqual([
    'CPU a streamed token',
    'CPU a whole answer',
    'memory when idle',
    'memory after the load',
  ])
  for (const { before, after } of report.gateways) expect(Math.min(before, after)).toBeGreaterThan(0)
  expect(report.line.map(({ name }) => name)).toContain('line: add and take')
  expect(report.choosing.map(({ name }) => name)).toContain('fastest')
  for (const { figure } of [...report.line, ...report.choosing]) expect(figure.median).toBeGreaterThan(0)
  expect(await leftBehind()).toEqual([])
})

test('a baseline that is no commit is refused, and nothing is left behind', async () => {
  await using child = bench([...short, '--parts', 'stream', '--baseline', 'no-such-commit'])
  expect(await child.end(30_000)).toEqual({ code: 1, signal: null })
  expect(child.err).toContain('bench: "no-such-commit" is no commit of this repository')
  expect(await leftBehind()).toEqual([])
})

test('cut off in the middle, it ends its processes and removes its folder', async () => {
  await using child = bench([...short, '--parts', 'stream', '--tokens', '100000', '--baseline', 'HEAD'])
  await eventually(30_000, 'a gateway of the benchmark', () => gatewaysRunning() > 0)
  // As a terminal and npm both do it.
  child.signal('SIGTERM')
  child.signal('SIGTERM')
  expect(await child.end(30_000)).toEqual({ code: 130, signal: null })
  await eventually(10_000, 'the gateway to be gone', () => gatewaysRunning() === 0)
  expect(await leftBehind()).toEqual([])
})

/** Node's own cache of compiled code stays there on purpose. */
async function leftBehind(): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name !== 'node-compile-cache')
}

/** Each of them was told the path of its configuration. */
function gatewaysRunning(): number {
  const lines = execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(folder) && line.includes('--config')).length
}
