/** The memory of a machine for models: loads one after the other, and whoever is at work is no reason to wait. */
import { expect, it } from 'vitest'
import { FluidHost } from '../../sim/fluid-host.ts'
import { m4Max } from '../../sim/host-profile.ts'
import { ModelShelf } from '../../sim/model-shelf.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'

const second = 1_000
const memory = { modelsMax: 1, evictMs: second, loadMs: () => 24 * second }

it('loads what is asked for in order, once for all who ask, and puts out the longest unused', () => {
  const clock = new VirtualClock()
  const told: string[] = []
  const say = (what: string) => void told.push(`${what} ${clock.now() / second}`)
  const shelf = new ModelShelf({ clock, ...memory, modelsMax: 2, putOut: (model) => say(`out ${model}`) })
  for (const model of ['a', 'a', 'b']) expect(shelf.use(model, () => say(model))).toBe(false)
  clock.runUntil(100 * second)
  expect(shelf.use('a', () => expect.unreachable('it is there'))).toBe(true)
  shelf.use('c', () => say('c'))
  clock.runUntil(200 * second)
  expect(told).toEqual(['a 24', 'a 24', 'b 48', 'out b 100', 'c 125'])
  expect([shelf.loads, shelf.loadingMs]).toEqual([3, (24 + 24 + 25) * second])
  expect([shelf.has('a'), shelf.has('b'), shelf.has('c')]).toEqual([true, false, true])
})

it('ends what is at work with a model that is put out, which counts as killed', () => {
  const clock = new VirtualClock()
  const host = new FluidHost({ ...m4Max, decodeTokensPerSecond: 1 }, clock, { memory })
  const told: string[] = []
  const ask = (model: string, outputTokens: number) =>
    host.start({
      model,
      inputTokens: 1,
      blocks: [],
      outputTokens,
      firstToken: () => void told.push(`${model} first`),
      ended: () => void told.push(`${model} ended`),
      lost: () => void told.push(`${model} lost`),
    })
  ask('a', 1_000)
  clock.runUntil(30 * second)
  ask('b', 5)
  clock.runUntil(200 * second)
  expect(told).toEqual(['a first', 'a lost', 'b first', 'b ended'])
  expect(host.killed).toBe(1)
  // Whoever leaves while its model is being loaded is not answered.
  const left = ask('a', 5)
  host.stop(left)
  clock.runUntil(400 * second)
  expect(told).toHaveLength(4)
})
