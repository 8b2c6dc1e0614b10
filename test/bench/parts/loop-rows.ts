/** Rows of the table about turns of the event loop. */
import { heldMsMax, type ToldByProbe } from '../loop-probe-turns.ts'
import { spreadOf } from '../statistics.ts'
import { aloneRow, type Row } from './part.ts'

/** performance.md 5.3: event-loop block, the longest in a minute of load. */
const bound = { must: 20, goal: heldMsMax }

/** Of one figure, over its rounds: the longest turn, and how long it would have been without collecting garbage. */
export function heldRows(figure: string, rounds: readonly ToldByProbe[]): readonly Row[] {
  const row = (what: string, of: (told: ToldByProbe) => number) => ({
    name: `${what}: ${figure}`,
    unit: 'ms',
    figure: spreadOf(rounds.map(of)),
  })
  const over = rounds.reduce((sum, told) => sum + told.over, 0)
  const note = `${over} turns above ${heldMsMax} ms, in ${rounds.length} looks`
  return [
    { ...aloneRow({ ...row('longest turn', longestMs), bound }), note },
    aloneRow({ ...row('longest turn less its garbage collection', longestOwnMs), bound }),
    aloneRow({ ...row('longest garbage collection', longestGcMs), bound: null }),
  ]
}

function longestMs({ longest }: ToldByProbe): number {
  return longest[0]?.heldMs ?? 0
}

function longestOwnMs({ longest }: ToldByProbe): number {
  return longest.reduce((most, { heldMs, gcMs }) => Math.max(most, heldMs - gcMs), 0)
}

function longestGcMs({ gc }: ToldByProbe): number {
  return Math.max(gc.young.longestMs, gc.old.longestMs)
}
