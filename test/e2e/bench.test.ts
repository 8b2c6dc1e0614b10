/** `npm run bench`, as short as it goes: every part runs, counts what it relayed, and leaves nothing behind. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { endingWithParent } from '../bench/machine.ts'
import { partNamesByDefault } from '../bench/parts/all-parts.ts'
import type { BenchReport } from '../bench/report.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { eventually } from '../kit/within.ts'

/** Of the benchmark alone, so that what it leaves there can be seen. */
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-bench-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

function bench(args: readonly string[], script = 'run.ts'): RunningProcess {
  const command = [join(repositoryRoot, 'test/bench', script), ...args]
  return new RunningProcess(...endingWithParent(process.execPath, command, 'TERM'), {
    cwd: repositoryRoot,
    env: { TMPDIR: folder },
  })
}

const short = '--rounds 1 --scale 0.01 --waiting 50 --steps 50 --force'.split(' ')

/** What anything costs; the others are of memory, of the event loop and of starts. */
const ofCost = ['requests', 'tokens', 'ceilings', 'line', 'choosing']
const ofOther = partNamesByDefault.filter((name) => !ofCost.includes(name))

test('one short round of every part that costs something, the commit beside the working tree', async () => {
  const file = join(folder, 'report.json')
  const head = execFileSync('git', ['rev-parse', 'HEAD'], { cwd: repositoryRoot, encoding: 'utf8' }).trim()
  const beside = ['--targets', 'direct,baseline', '--baseline', head]
  await using child = bench([...short, '--parts', ofCost.join(), ...beside, '--json', file])
  const end = await child.end(110_000)
  expect(end, child.err).toEqual({ code: 0, signal: null })
  const report = JSON.parse(await readFile(file, 'utf8')) as BenchReport
  expect(report).toMatchObject({ node: process.versions.node, rounds: 1, targets: { baseline: head.slice(0, 8) } })
  expectRows(report, ofCost)
  const requests = report.parts.find(({ name }) => name === 'requests')?.rows ?? []
  expect(Object.keys(requests[0]?.byTarget ?? {})).toEqual(expect.arrayContaining(['baseline', 'gateway']))
  expect(child.out).toContain('CPU a request, 32 clients')
  expect(child.out).toContain('goals: all of the design')
  expect(child.out).toMatch(/not measured, for want of their part: RSS idle \(idle\); [^;]* \(idle\); cold start/)
  await rm(file)
  expect(await leftBehind()).toEqual([])
})

test('one short round of every other part, beside what is installed', async () => {
  const file = join(folder, 'report.json')
  await using child = bench([...short, '--parts', ofOther.join(), '--targets', 'haproxy', '--json', file])
  const end = await child.end(110_000)
  expect(end, child.err).toEqual({ code: 0, signal: null })
  expectRows(JSON.parse(await readFile(file, 'utf8')) as BenchReport, ofOther)
  await rm(file)
  expect(await leftBehind()).toEqual([])
})

function expectRows({ parts }: BenchReport, names: readonly string[]): void {
  expect(parts.map(({ name }) => name)).toEqual(names)
  for (const { name, rows } of parts) {
    expect(rows, name).not.toEqual([])
    for (const { figure, byTarget, note = '' } of rows) {
      // Whose clients were late themselves has no figure, and says so.
      if (!note.includes('left out')) expect(byTarget.gateway?.median, figure).toEqual(expect.any(Number))
    }
  }
}

test('a baseline that is no commit is refused, and nothing is left behind', async () => {
  await using child = bench([...short, '--parts', 'tokens', '--baseline', 'no-such-commit'])
  expect(await child.end(30_000)).toEqual({ code: 1, signal: null })
  expect(child.err).toContain('bench: "no-such-commit" is no commit of this repository')
  expect(await leftBehind()).toEqual([])
})

test('cut off in the middle, it ends its processes and removes its folder', async () => {
  await using child = bench([...short, '--parts', 'tokens', '--scale', '100'])
  await eventually(60_000, 'a gateway of the benchmark', () => gatewaysRunning() > 0)
  // As a terminal and npm both do it.
  child.signal('SIGTERM')
  child.signal('SIGTERM')
  expect(await child.end(30_000)).toEqual({ code: 130, signal: null })
  await eventually(10_000, 'the gateway to be gone', () => gatewaysRunning() === 0)
  expect(await leftBehind()).toEqual([])
})

test('the gate compiles what it measures, and says how it stands to what was recorded', async () => {
  await using child = bench(['--rounds', '1', '--scale', '0.01', '--force'], 'gate.ts')
  await child.end(110_000)
  // Whether such a short look stays within the bound is chance.
  if (child.out === '') expect(child.err).toContain('nothing to compare with: nginx is not installed')
  else expect(child.out).toMatch(/^against [0-9a-f]{8}.*\n {2}CPU a request: × .*\n {2}CPU a token: × .*\n$/)
  expect(await leftBehind()).toEqual([])
})

test.skipIf(process.platform !== 'linux')('killed in the middle, it takes its processes with it', async () => {
  await using child = bench([...short, '--parts', 'tokens', '--scale', '100'])
  await eventually(60_000, 'a gateway of the benchmark', () => gatewaysRunning() > 0)
  const started = childrenOf(child.pid)
  // Stub, clients and the gateway.
  expect(started.length).toBeGreaterThanOrEqual(3)
  child.signal('SIGKILL')
  await child.end()
  await eventually(10_000, 'its processes to be gone', () => started.every((pid) => !existsSync(`/proc/${pid}`)))
})

function leftBehind(): Promise<string[]> {
  return readdir(folder)
}

/** Each of them was told the path of its configuration. */
function gatewaysRunning(): number {
  const lines = execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).split('\n')
  return lines.filter((line) => line.includes(folder) && line.includes('--config')).length
}

function childrenOf(pid: number): number[] {
  return execFileSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' })
    .split('\n')
    .filter(Boolean)
    .map(Number)
}
