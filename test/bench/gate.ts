/** `npm run bench:gate`: whether a token or a request became dearer, against the ratios to nginx that were recorded last. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { readArguments } from '../../src/cli/arguments.ts'
import type { Flag } from '../../src/cli/command.ts'
import { flagTable } from '../../src/cli/help.ts'
import type { FlagValues } from '../../src/config/settings.ts'
import { workingTreeCommit } from './checkout.ts'
import { gateFigures, gateVerdicts, type Recorded } from './gate-figures.ts'
import { LocalRig } from './local-rig.ts'
import { measuring, type Place, sayError } from './measuring.ts'
import { makersOf } from './targets/makers.ts'
import type { TargetName } from './targets/target.ts'

const recordedFile = fileURLToPath(new URL('recorded-ratios.json', import.meta.url))
const roundsByDefault = 6
const compared: readonly TargetName[] = ['nginx', 'gateway']

const flags: readonly Flag[] = [
  { name: 'record', value: '', help: 'Writes what was measured as what is compared with from now on' },
  { name: 'rounds', value: 'N', help: `Rounds, each with fresh processes (default: ${roundsByDefault})` },
  { name: 'scale', value: 'X', help: 'Amounts and times, as a multiple (default: 1)' },
  { name: 'force', value: '', help: 'Measures on a busy machine as well; its figures are worth little' },
]

try {
  const read = readArguments(process.argv.slice(2), flags)
  if (process.argv.includes('--help'))
    console.log(['Usage: npm run bench:gate -- [flags]', '', ...flagTable(flags)].join('\n'))
  else if (read.kind === 'bad') throw new Error(read.message)
  else await measuring(read.values.get('force') !== undefined, (place) => gate(read.values, place))
} catch (error) {
  sayError('bench:gate', error)
  process.exitCode = 1
}

async function gate(values: FlagValues, { folder, cores }: Place): Promise<void> {
  const { makers } = await makersOf({ baseline: null, fromSource: false }, folder)
  const both = makers.filter(({ name }) => compared.includes(name))
  for (const maker of both) {
    const absent = maker.absentBecause()
    if (absent !== null) throw new Error(`nothing to compare with: ${absent}`)
  }
  const number = (name: string, otherwise: number) => Number(values.get(name)?.at(-1) ?? otherwise)
  const rounds = number('rounds', roundsByDefault)
  const say = (line: string) => console.error(line)
  const rest = { soakMinutes: 0, waiting: [], steps: 0 }
  const rig = new LocalRig({ ...rest, makers: both, cores, rounds, scale: number('scale', 1), say })
  const figures = await gateFigures(rig)
  if (figures.length === 0) throw new Error('this system does not tell the processor time of a process')
  if (values.get('record') !== undefined) {
    record({ rounds, figures, nginx: rig.maker('nginx')?.words ?? '' })
    console.log(`recorded in ${recordedFile}`)
    return
  }
  const recorded = JSON.parse(readFileSync(recordedFile, 'utf8')) as Recorded
  const verdicts = gateVerdicts(figures, recorded)
  console.log(`against ${recorded.commit} on ${recorded.machine}, ${recorded.rounds} rounds:`)
  for (const { words } of verdicts) console.log(`  ${words}`)
  if (verdicts.some(({ isBeyond }) => isBeyond)) process.exitCode = 1
}

function record({ rounds, figures, nginx }: Pick<Recorded, 'rounds' | 'figures' | 'nginx'>): void {
  const commit = workingTreeCommit()
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`
  const recorded: Recorded = { commit, machine, node: process.versions.node, nginx, rounds, figures }
  writeFileSync(recordedFile, `${JSON.stringify(recorded, null, 2)}\n`)
}
