/** A look at all totals there may be is many short turns: it is taken every few seconds, whether or not anybody asks. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RecentFigures } from '../../../src/observe/recent-figures.ts'
import { everyTurn } from '../../kit/event-loop.ts'
import { fullSources } from '../../kit/full-budget.ts'

test('a look at as many totals as there may be lets others have their turn', async () => {
  const sources = fullSources()
  // Time is told by how often the clock is looked at, and who looks seldom holds the loop for long.
  let looks = 0
  let take: () => void = () => {}
  const clock = {
    now: () => ++looks / 100,
    after: (_delayMs: number, callback: () => void) => {
      take = callback
      return { cancel: () => {} }
    },
  }
  const figures = new RecentFigures({ clock, sources, counted: null })
  figures.start()
  for (const tally of sources.tallies) tally.output += 1
  const looksByTurn: number[] = []
  let turnBegan = looks
  const stop = everyTurn(() => {
    looksByTurn.push(looks - turnBegan)
    turnBegan = looks
  })
  take()
  while (figures.looks < 2) await nextTurn()
  stop()
  expect(looks).toBeGreaterThan(sources.tallies.length)
  expect(Math.max(...looksByTurn)).toBeLessThanOrEqual(104)
  figures.stop()
})
