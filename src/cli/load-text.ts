/** The load of a model that requests wait for, as people read it. */
import { obstacleSentences } from '../hosts/obstacles.ts'
import type { LineView } from '../queue/line-view-schema.ts'
import { secondsText } from './text-table.ts'

export type WaitedLoad = NonNullable<LineView['requests'][number]['load']>

/** What it waits for before all else. */
export function loadText({ host, model, forMs, expectedMs, obstacle }: WaitedLoad): string {
  const soon = expectedMs === null ? '' : `, some ${secondsText(expectedMs)} more`
  if (forMs !== null)
    return `No host has the model in memory: ${host} has been loading ${model} for ${secondsText(forMs)}${soon}.`
  const why = obstacle === null ? '' : `: ${obstacleSentences[obstacle]}`
  return `No host has the model in memory; ${host} is to load ${model}, and has not begun${why}${soon}.`
}
