import { expect, test, vi } from 'vitest'
import { loadedOnce } from '../../../src/base/loaded-once.ts'

test('all who want it have the one that was loaded', async () => {
  const load = vi.fn(async () => ({}))
  const loaded = loadedOnce(load)
  const [first, second] = await Promise.all([loaded(), loaded()])
  expect(await loaded()).toBe(first)
  expect(second).toBe(first)
  expect(load).toHaveBeenCalledTimes(1)
})

test('all who wait for one that fails are told, and the next one tries again', async () => {
  const load = vi.fn(async () => 'loaded')
  load.mockRejectedValueOnce(new Error('gone'))
  const loaded = loadedOnce(load)
  const both = await Promise.allSettled([loaded(), loaded()])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  expect(await loaded()).toBe('loaded')
  expect(load).toHaveBeenCalledTimes(2)
})
