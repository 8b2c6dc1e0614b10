/** `npm run bench -- --help`: what the gateway costs, beside its host alone, other proxies and another commit of it. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, release, tmpdir, type } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type BenchArguments, benchHelp, readBenchArguments } from './bench-arguments.ts'
import { killAll } from './children.ts'
import { LocalRig } from './local-rig.ts'
import { type Cores, coresOf, lookAtMachine, type MachineLoad, reasonsNotToMeasure } from './machine.ts'
import { allParts } from './parts/all-parts.ts'
import { type BenchReport, type ReportedPart, reportText } from './report.ts'
import { makersOf } from './targets/makers.ts'

const say = (line: string): void => console.error(line)

try {
  const wanted = readBenchArguments(process.argv.slice(2))
  if (wanted === 'help') console.log(benchHelp)
  else await bench(wanted)
} catch (error) {
  for (let told = error; told !== undefined; told = told instanceof Error ? told.cause : undefined) {
    say(`bench: ${told instanceof Error ? told.message : inspect(told)}`)
  }
  process.exitCode = 1
}

async function bench(wanted: BenchArguments): Promise<void> {
  const atStart = await lookAtMachine()
  const reasons = reasonsNotToMeasure(atStart)
  if (reasons.length > 0 && !wanted.force) {
    throw new Error(
      `this machine is busy, so nothing was measured (--force does it all the same): ${reasons.join('; ')}`,
    )
  }
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-bench-'))
  // Heard to the end: who runs it in a group sends a signal twice, and the second one must not cut off the first.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => cutOff(folder))
  try {
    const report = await measure(wanted, { folder, atStart, reasons })
    console.log(reportText(report))
    if (wanted.json !== null) writeFileSync(wanted.json, `${JSON.stringify(report, null, 2)}\n`)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(
  wanted: BenchArguments,
  { folder, atStart, reasons }: { folder: string; atStart: MachineLoad; reasons: readonly string[] },
): Promise<BenchReport> {
  const beganMs = performance.now()
  const cores = coresOf(availableParallelism())
  keepOff(cores)
  const parts = allParts.filter(({ name }) => wanted.parts.has(name))
  const { makers, notes, gatewayRuns } = await makersOf(wanted, folder)
  const rig = new LocalRig({ ...wanted, makers, cores, say })
  for (const reason of reasons) rig.note(`a busy machine: ${reason}`)
  for (const note of notes) rig.note(note)
  const reported: ReportedPart[] = []
  for (const part of parts) reported.push({ name: part.name, words: part.words, rows: await part.run(rig) })
  return {
    node: process.versions.node,
    flags: process.argv.slice(2),
    rounds: wanted.rounds,
    scale: wanted.scale,
    targets: Object.fromEntries(rig.makers.map((maker) => [maker.name, maker.words])),
    gatewayRuns,
    machine: {
      model: cpus()[0]?.model.trim() ?? 'unknown',
      kernel: `${type()} ${release()}`,
      atStart,
      loadAverageAtEnd: loadavg()[0] ?? 0,
      cores: coresWords(cores),
    },
    calibration: rig.calibrated,
    parts: reported,
    notes: rig.notes,
    tookMs: performance.now() - beganMs,
  }
}

/** This process reads what gateways log, which must not take time of their core. */
function keepOff({ load }: Cores): void {
  if (load !== null) execFileSync('taskset', ['-a', '-c', '-p', load, String(process.pid)], { stdio: 'ignore' })
}

function coresWords({ gateway, load }: Cores): string {
  if (gateway === null) return 'no taskset, or one core alone: nothing has a core for itself'
  return `each on core ${gateway} with all its threads, stub and clients on ${load}`
}

function cutOff(folder: string): void {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  process.exit(130)
}
