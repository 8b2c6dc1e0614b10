/** A gateway that has as many series, tallies and waiting keys as it may have. */
import { gapEdgesSeconds } from '../../src/metering/events.ts'
import { type Tally, TokenTallies } from '../../src/metering/token-tallies.ts'
import type { Metrics } from '../../src/observe/metrics.ts'
import { ScriptedSources } from './scripted-sources.ts'

const talliesMax = 11_000
const keysWaiting = 10_000
const places = 1_000

export function fullSources(): ScriptedSources & { readonly tallies: readonly Tally[] } {
  const counted = new TokenTallies()
  const tallies = Array.from({ length: talliesMax }, (_, index) =>
    counted.tally(`model-${index % 10}`, `host-${index % 7}`, `key-${index}`),
  )
  for (const [index, tally] of tallies.entries()) tally.output += index
  const sources = Object.assign(new ScriptedSources(), { tallies, tokens: () => counted, knownModel: () => true })
  const [phase] = sources.phaseTotals
  const atPlace = (index: number) => ({ model: `model-${index}`, host: 'studio' })
  if (phase !== undefined)
    sources.phaseTotals = Array.from({ length: places }, (_, index) => ({ ...phase, ...atPlace(index) }))
  const counts = [...gapEdgesSeconds.map(() => 1), 1]
  sources.gapTotals = Array.from({ length: places }, (_, index) => ({
    ...atPlace(index),
    counts,
    sumSeconds: 3,
    stalls: 1,
  }))
  sources.flows.length = 0
  for (let index = 0; index < keysWaiting; index += 1)
    sources.flows.push({ key: `key-${index}`, waiting: 1, running: 0 })
  sources.depths.length = 0
  for (let index = 0; index < places; index += 1) {
    sources.depths.push({ model: `model-${index}`, class: 'default', waiting: 10, tokens: 900, oldestMs: 2_000 })
  }
  return sources
}

/** Told of enough waits to have its share of histograms, too. */
export function telling(metrics: Metrics): Metrics {
  for (let index = 0; index < 200; index += 1) {
    metrics.waitEnded({ model: `model-${index}`, class: 'default' }, 'granted', index)
  }
  return metrics
}
