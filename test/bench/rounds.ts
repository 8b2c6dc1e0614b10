/**
 * Rounds in which each target is measured once, in random order: started afresh, since one process of the same code is
 * dearer than the next, and compared within the round, since the machine is never the same for long.
 */
import type { Parties } from './cost.ts'
import type { Address } from './load/load-order.ts'
import { LoopProbe } from './loop-probe-reader.ts'
import type { Row } from './parts/part.ts'
import type { Rig } from './rig.ts'
import { type Spread, shuffled, spreadOf } from './statistics.ts'
import { type TargetName, type TargetWanted, targetNames } from './targets/target.ts'

/** A target that runs before its own stub. */
export interface Measured extends Parties {
  readonly name: TargetName
  /** Of a gateway, where the rounds want it. */
  readonly probe: LoopProbe | null
  readonly to: Address
  /** The stub itself. */
  readonly direct: Address
}

export type Round<Figures> = ReadonlyMap<TargetName, Figures>

export async function inRounds<Figures>(
  rig: Rig,
  { part, wanted, rounds = rig.rounds, probed = false }: RoundsWanted,
  measure: (measured: Measured) => Promise<Figures>,
): Promise<Round<Figures>[]> {
  const found: Round<Figures>[] = []
  for (let round = 1; round <= rounds; round++) {
    const figures = new Map<TargetName, Figures>()
    for (const maker of shuffled(rig.makers, rig.random)) {
      await using stub = await rig.stub()
      await using generator = await rig.generator()
      await using probe = probed && isGateway(maker.name) ? await LoopProbe.make() : null
      const nodeArgs = probe?.nodeArgs ?? []
      await using target = await maker.start({ hostUrl: stub.url, core: rig.cores.gateway, nodeArgs, ...wanted })
      const { url, key, receipts } = target
      const direct = { url: stub.url, key: null, receipts: false }
      const to = { url, key, receipts }
      figures.set(maker.name, await measure({ name: maker.name, probe, target, stub, generator, to, direct }))
    }
    found.push(figures)
    rig.say(`${part}, round ${round} of ${rounds}`)
  }
  return found
}

export interface RoundsWanted {
  readonly part: string
  readonly wanted: Omit<TargetWanted, 'hostUrl' | 'core'>
  readonly rounds?: number
  /** The turns of the event loop of gateways are looked at. */
  readonly probed?: boolean
}

function isGateway(name: TargetName): boolean {
  return name === 'gateway' || name === 'baseline'
}

export interface RowWanted<Figures>
  extends Omit<Row, 'byTarget' | 'ratioToNginx' | 'ratioToBaseline' | 'must' | 'goal' | 'better'> {
  readonly must?: number | null
  readonly goal?: number | null
  readonly better?: Row['better']
  /** Null where a round has none. */
  readonly of: (figures: Figures) => number | null
  /** The figure is what a target adds to that of the host itself in the same round. */
  readonly added?: boolean
  /** Whether a ratio of it to another target means anything. */
  readonly compared?: boolean
}

export function rowOf<Figures>(
  rounds: readonly Round<Figures>[],
  { of, added = false, compared = false, must = null, goal = null, better = 'lower', ...rest }: RowWanted<Figures>,
): Row {
  const values = (name: TargetName) => rounds.map((round) => valueIn(round, name, of, added))
  const byTarget: Partial<Record<TargetName, Spread>> = {}
  for (const name of targetNames) {
    const known = values(name).filter((value) => value !== null)
    if (known.length > 0) byTarget[name] = spreadOf(known)
  }
  const ratioTo = (name: TargetName): Spread | null => {
    const ratios = compared ? ratiosOf(values('gateway'), values(name)) : []
    return ratios.length === 0 ? null : spreadOf(ratios)
  }
  const ratioToNginx = ratioTo('nginx')
  return { ...rest, byTarget, ratioToNginx, ratioToBaseline: ratioTo('baseline'), must, goal, better }
}

function valueIn<Figures>(
  round: Round<Figures>,
  name: TargetName,
  of: (figures: Figures) => number | null,
  added: boolean,
): number | null {
  const figures = round.get(name)
  const value = figures === undefined ? null : of(figures)
  if (!added || value === null) return value
  const direct = round.get('direct')
  const base = direct === undefined ? null : of(direct)
  return base === null ? null : value - base
}

/** Of each round that has both. */
export function ratiosOf(ours: readonly (number | null)[], theirs: readonly (number | null)[]): number[] {
  return ours.flatMap((value, at) => {
    const other = theirs[at] ?? null
    return value === null || other === null || other === 0 ? [] : [value / other]
  })
}

export function medianOf(row: Row, name: TargetName): number | null {
  return row.byTarget[name]?.median ?? null
}
