/** `npm run bench -- --help`: what the gateway costs, beside its host alone, other proxies and another commit of it. */
import { writeFileSync } from 'node:fs'
import { cpus, loadavg, release, type } from 'node:os'
import { type BenchArguments, benchHelp, readBenchArguments } from './bench-arguments.ts'
import { LocalRig } from './local-rig.ts'
import type { Cores } from './machine.ts'
import { measuring, type Place, sayError } from './measuring.ts'
import { allParts } from './parts/all-parts.ts'
import type { BenchPart, Row } from './parts/part.ts'
import { type BenchReport, type ReportedPart, reportText } from './report.ts'
import type { Rig } from './rig.ts'
import { svgOf } from './svg-plot.ts'
import { makersOf } from './targets/makers.ts'

try {
  const wanted = readBenchArguments(process.argv.slice(2))
  if (wanted === 'help') console.log(benchHelp)
  else await measuring(wanted.force, (place) => bench(wanted, place))
} catch (error) {
  sayError('bench', error)
  process.exitCode = 1
}

async function bench(wanted: BenchArguments, place: Place): Promise<void> {
  const report = await measure(wanted, place)
  console.log(reportText(report))
  if (wanted.json !== null) writeFileSync(wanted.json, `${JSON.stringify(report, null, 2)}\n`)
  if (wanted.svg !== null) writeFileSync(wanted.svg, svgOf(report))
}

async function measure(wanted: BenchArguments, { folder, cores, atStart, reasons }: Place): Promise<BenchReport> {
  const beganMs = performance.now()
  const { makers, notes, gatewayRuns } = await makersOf(wanted, folder)
  const rig = new LocalRig({
    ...wanted,
    makers: makers.filter(({ name }) => name === 'gateway' || wanted.targets.has(name)),
    cores,
    say: (line) => console.error(line),
  })
  for (const reason of reasons) rig.note(`a busy machine: ${reason}`)
  for (const note of notes) rig.note(note)
  const parts: ReportedPart[] = []
  for (const part of allParts) {
    if (wanted.parts.has(part.name)) parts.push({ name: part.name, words: part.words, rows: await rowsOf(part, rig) })
  }
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
    parts,
    notes: rig.notes,
    tookMs: performance.now() - beganMs,
  }
}

async function rowsOf(part: BenchPart, rig: Rig): Promise<readonly Row[]> {
  try {
    return await part.run(rig)
  } catch (error) {
    throw new Error(`the part ${part.name} came to no end`, { cause: error })
  }
}

function coresWords({ gateway, load }: Cores): string {
  if (gateway === null) return 'no taskset, or one core alone: nothing has a core for itself'
  return `each on core ${gateway} with all its threads, stub and clients on ${load}`
}
