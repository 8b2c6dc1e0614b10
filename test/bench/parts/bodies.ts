/** Part 7: large bodies beside token streams: how much later the tokens of others come, and how long a gateway holds its event loop. */
import type { ToldByProbe } from '../loop-probe-turns.ts'
import type { Rig } from '../rig.ts'
import { inRounds, type Measured, type Round, rowOf } from '../rounds.ts'
import { fewRounds } from '../scale.ts'
import { heldRows } from './loop-rows.ts'
import type { BenchPart, Row } from './part.ts'

export const bodiesPart: BenchPart = {
  name: 'bodies',
  words: 'how much later the tokens of others come while bodies of 100 kB and 1 MB do',
  run: bodyRows,
}

const streams = 32
const everyMs = 40
const windowMs = 4_000
const roundsMax = 2

/** A megabyte each second, in other pieces. */
const loads = [
  { words: '100 kB', bodyBytes: 100_000, perSecond: 20 },
  { words: '1 MB', bodyBytes: 1_000_000, perSecond: 2 },
] as const
type Words = (typeof loads)[number]['words'] | 'none'

interface Seen {
  readonly p99Ms: number
  readonly turns: ToldByProbe | null
}

type Figures = ReadonlyMap<Words, Seen>

async function bodyRows(rig: Rig): Promise<readonly Row[]> {
  const rounds = await inRounds<Figures>(
    rig,
    { part: 'bodies', wanted: { slots: 256 }, rounds: fewRounds(rig.rounds, roundsMax), probed: true },
    (measured) => figuresOf(rig, measured),
  )
  const alone = delayRow(rounds, 'none', 'no large body beside them')
  return [alone, ...loads.flatMap((load) => [delayRow(rounds, load.words, words(load)), ...turnRows(rounds, load)])]
}

async function figuresOf(rig: Rig, { stub, generator, to, probe }: Measured): Promise<Figures> {
  await using bodies = await rig.generator()
  const forMs = Math.ceil(windowMs * rig.scale)
  await stub.mode({ everyMs })
  const tokens = Math.ceil((12 * forMs + 10_000) / everyMs)
  await generator.openStreams({ ...to, streams, tokens, withinMs: everyMs })
  await generator.window(forMs / 2)
  const found = new Map<Words, Seen>()
  const look = async (name: Words, others: Promise<unknown> | null) => {
    await probe?.turns()
    const { oneWay } = await generator.window(forMs)
    await others
    found.set(name, { p99Ms: oneWay.p99 / 1e6, turns: (await probe?.turns()) ?? null })
  }
  await look('none', null)
  for (const { words: name, bodyBytes, perSecond } of loads) {
    const order = { ...to, kind: 'request', schedule: 'fixed', tokens: 1, seed: 1, bodyBytes, perSecond } as const
    // Connections and code are there.
    await bodies.openLoop({ ...order, forMs: forMs / 2 })
    await look(name, bodies.openLoop({ ...order, forMs }))
  }
  await generator.endStreams(streams)
  return found
}

function words({ words: size, perSecond }: (typeof loads)[number]): string {
  return `${perSecond} bodies of ${size} a second beside them`
}

function delayRow(rounds: readonly Round<Figures>[], name: Words, beside: string): Row {
  return rowOf(rounds, {
    figure: `one-way delay of tokens, p99, ${beside}`,
    unit: 'ms',
    of: (figures) => figures.get(name)?.p99Ms ?? null,
  })
}

function turnRows(rounds: readonly Round<Figures>[], load: (typeof loads)[number]): readonly Row[] {
  const seen = rounds.flatMap((round) => round.get('gateway')?.get(load.words)?.turns ?? [])
  return heldRows(`${load.perSecond} bodies of ${load.words} a second beside streams`, seen)
}
