/** `npm run bench -- --help`: what a change costs, measured against a commit before it. */
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { type BenchArguments, benchHelp, metricsOffName, readBenchArguments } from './bench-arguments.ts'
import { type BenchReport, comparisonsOf, relayedIn, reportText } from './bench-report.ts'
import { checkOutCommit, copyWorkingTree, wantsOtherPackages, workingTreeCommit } from './checkout.ts'
import { killAll } from './children.ts'
import { choosingFigures } from './choosing-figures.ts'
import { GatewayArm, setupFor } from './gateway-arm.ts'
import { gatewayRounds } from './gateway-rounds.ts'
import { lineFigures } from './line-figures.ts'
import { type Cores, coresOf, lookAtMachine, reasonsNotToMeasure } from './machine.ts'
import { everythingOn, metricsOff } from './watching.ts'

/** Above it, stub and generator could not keep up, and the gateway waited for them. */
const loadCoreShareEnough = 0.9

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
    const found = await measure(wanted, folder)
    const report: BenchReport = {
      ...found,
      node: process.versions.node,
      rounds: wanted.rounds,
      machine: { atStart, loadAverageAtEnd: loadavg()[0] ?? 0, model: cpus()[0]?.model.trim() ?? 'unknown' },
      notes: [...reasons.map((reason) => `a busy machine: ${reason}`), ...found.notes],
    }
    console.log(wanted.json ? JSON.stringify(report, null, 2) : reportText(report))
  } finally {
    await rm(folder, { recursive: true })
  }
}

type Found = Omit<BenchReport, 'node' | 'rounds' | 'machine'>

/** Each part that is wanted, and what must be known to judge it. */
async function measure(wanted: BenchArguments, folder: string): Promise<Found> {
  const cores = coresOf(availableParallelism())
  const notes = cores.gateway === null ? ['no taskset, or one core alone: nothing has a core for itself'] : []
  const line = wanted.parts.has('line') ? await lineFigures(wanted, { core: cores.gateway, say }) : []
  const choosing = wanted.parts.has('choosing') ? await choosingFigures(wanted, { core: cores.gateway, say }) : []
  const gateways = wanted.parts.has('stream') || wanted.parts.has('request')
  const compared = gateways ? await compareGateways(wanted, { folder, cores }) : null
  const nothing = { before: null, after: workingTreeCommit(), gateways: [], relayed: relayedIn([]) }
  return { ...nothing, ...compared, notes: [...notes, ...(compared?.notes ?? [])], line, choosing }
}

async function compareGateways(
  wanted: BenchArguments,
  { folder, cores }: { folder: string; cores: Cores },
): Promise<Omit<Found, 'line' | 'choosing'>> {
  const arms = await armsOf(wanted, folder)
  const setup = setupFor(await Promise.all(arms.map((arm) => arm.help())))
  const { rounds, loadCoreShareMax } = await gatewayRounds(arms, { wanted, setup, cores, say })
  const notes = ['memory includes what Node needs to run TypeScript from its source', ...setup.notes]
  if (wanted.baseline !== metricsOffName && (await wantsOtherPackages(wanted.baseline))) {
    notes.push(`${arms[0].words} was made for other packages, and ran on those of the working tree`)
  }
  if (rounds.some((round) => round.after.residentMiBIdle === null)) {
    notes.push('this system tells neither the CPU time nor the memory of a process')
  }
  if (loadCoreShareMax !== null && loadCoreShareMax > loadCoreShareEnough) {
    const share = `${(loadCoreShareMax * 100).toFixed(0)} %`
    notes.push(`host and clients needed ${share} of a core: they, and not the gateway, set the pace`)
  }
  const gateways = comparisonsOf(rounds)
  return { before: arms[0].words, after: arms[1].words, notes, gateways, relayed: relayedIn(rounds) }
}

async function armsOf({ baseline }: BenchArguments, folder: string): Promise<readonly [GatewayArm, GatewayArm]> {
  const after = await copyWorkingTree(join(folder, 'after'))
  if (baseline === metricsOffName) {
    const before = await copyWorkingTree(join(folder, 'before'))
    return [new GatewayArm('before', before, metricsOff), new GatewayArm('after', after, everythingOn)]
  }
  const before = await checkOutCommit(baseline, join(folder, 'before'))
  return [new GatewayArm('before', before), new GatewayArm('after', after)]
}

function cutOff(folder: string): void {
  killAll()
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
  process.exit(130)
}
