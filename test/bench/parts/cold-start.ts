/** Part 9: from the start of a process until it listens, and until the first answer has come through it. */
import { readFileSync, readlinkSync } from 'node:fs'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startProgram } from '../children.ts'
import type { Address } from '../load/load-order.ts'
import type { Rig } from '../rig.ts'
import { unhurried } from '../scale.ts'
import { shuffled, spreadOf } from '../statistics.ts'
import type { TargetMaker, TargetName } from '../targets/target.ts'
import { firstAnswer } from './cold-start-client.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'

export const coldStartPart: BenchPart = {
  name: 'cold-start',
  words: 'from the start of a process until it listens, and until the first answer has come through it',
  run: coldStartRows,
}

const runs = 20
const runsMin = 1
const slots = 4
/** Until what was compiled is kept, which is soon after it listens. */
const cacheWrittenMs = 1_000
const bounds = { listening: { must: 300, goal: 150 }, answered: { must: 400, goal: 200 } }

interface Command {
  readonly args: readonly [string, ...string[]]
  readonly cwd: string
  readonly to: Address
  readonly env: Readonly<Record<string, string>>
}

interface Start {
  readonly listeningMs: number
  readonly answeredMs: number
}

/** Without words it stands in the row of all targets, else in one of its own. */
interface Arm {
  readonly words: string
  readonly target: TargetName
  readonly command: Command
  readonly starts: Start[]
}

async function coldStartRows(rig: Rig): Promise<readonly Row[]> {
  if (process.platform !== 'linux') {
    rig.note('cold start: how a target is started is known on Linux alone')
    return []
  }
  await using stub = await rig.stub()
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-starts-'))
  try {
    const arms: Arm[] = []
    for (const maker of rig.makers) {
      if (maker.name !== 'direct')
        arms.push(...armsOf(maker.name, await commandOf(rig, maker, stub.url, folder), folder))
    }
    for (const { command } of arms) await fill(rig, command)
    const count = Math.max(runsMin, Math.round(runs * Math.min(1, rig.scale)))
    for (let run = 1; run <= count; run++) {
      for (const arm of shuffled(arms, rig.random)) arm.starts.push(await startOf(rig, arm.command))
    }
    rig.say(`cold-start, ${count} starts each`)
    return rowsOf(arms)
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** As its maker starts it, so that it can be started again without what the maker does beforehand. */
async function commandOf(rig: Rig, maker: TargetMaker, hostUrl: string, folder: string): Promise<Command> {
  const { args, cwd, to, kept } = await seenOf(rig, maker, hostUrl, folder)
  // Some makers take it away with the process.
  await cp(kept, cwd, { recursive: true, force: false })
  return { args, cwd, to, env: {} }
}

async function seenOf(rig: Rig, maker: TargetMaker, hostUrl: string, folder: string) {
  await using target = await maker.start({ hostUrl, slots, core: rig.cores.gateway })
  const args = readFileSync(`/proc/${target.pid}/cmdline`, 'utf8').split('\0').slice(0, -1) as [string, ...string[]]
  const cwd = readlinkSync(`/proc/${target.pid}/cwd`)
  const kept = join(folder, `kept-${maker.name}`)
  await cp(cwd, kept, { recursive: true })
  return { args, cwd, to: { url: target.url, key: target.key, receipts: false }, kept }
}

/** A gateway in each of its forms. */
function armsOf(target: TargetName, command: Command, folder: string): readonly Arm[] {
  const arm = (words: string, args: Command['args'], env: Command['env']): Arm => ({
    words,
    target,
    command: { ...command, args, env },
    starts: [],
  })
  if (target !== 'gateway') return [arm('', command.args, { NODE_COMPILE_CACHE: join(folder, `cache-${target}`) })]
  const [program, ...rest] = command.args
  const fromSource: Command['args'] = [
    program,
    ...rest.map((text) => text.replace(/\bdist\/launch\.js$/, 'src/launch.js')),
  ]
  const isCompiled = fromSource.some((text, at) => text !== command.args[at])
  const withCache = { NODE_COMPILE_CACHE: join(folder, `cache-${target}`) }
  const without = { NODE_DISABLE_COMPILE_CACHE: '1' }
  return [
    arm('', command.args, withCache),
    arm('without what was compiled before', command.args, without),
    ...(isCompiled
      ? [
          arm('from TypeScript', fromSource, withCache),
          arm('from TypeScript, without what was compiled before', fromSource, without),
        ]
      : []),
  ]
}

async function fill(rig: Rig, command: Command): Promise<void> {
  await startOf(rig, command, cacheWrittenMs * unhurried(rig.scale))
}

async function startOf({ cores }: Rig, { args, cwd, to, env }: Command, stayMs = 0): Promise<Start> {
  const beganMs = performance.now()
  await using child = startProgram(cores.gateway, args, { cwd, env })
  // A gateway takes a port of the system's choice each time, and says which; a proxy has the same.
  const says = args.some((text) => text.endsWith('launch.js'))
  const url = says ? await child.said(/(http:\S+)\/v1\n/) : to.url
  const saidMs = performance.now() - beganMs
  const { connectedMs, answeredMs } = await firstAnswer({ ...to, url }, beganMs)
  if (stayMs > 0) await pause(stayMs)
  return { listeningMs: says ? saidMs : connectedMs, answeredMs }
}

function rowsOf(arms: readonly Arm[]): readonly Row[] {
  return (['listening', 'answered'] as const).flatMap((what) => {
    const of = ({ starts }: Arm) => spreadOf(starts.map((start) => start[`${what}Ms`]))
    const words = what === 'listening' ? 'cold start until it listens' : 'cold start until the first answer has come'
    const others = arms.filter((arm) => arm.words === '')
    const shared: Row = {
      figure: words,
      unit: 'ms',
      byTarget: Object.fromEntries(others.map((arm) => [arm.target, of(arm)])),
      ratioToNginx: null,
      ...bounds[what],
      better: 'lower',
    }
    const apart = arms.filter((arm) => arm.words !== '')
    return [
      shared,
      ...apart.map((arm) => aloneRow({ name: `${words}, ${arm.words}`, unit: 'ms', figure: of(arm), bound: null })),
    ]
  })
}
