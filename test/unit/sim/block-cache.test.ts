/** What a machine keeps of prompts, and what the gateway sees of them. */
import { describe, expect, it } from 'vitest'
import { BlockCache } from '../../sim/block-cache.ts'
import { promptOf } from '../../sim/sim-prompt.ts'
import { endlessMs, personal, type Stream } from '../../sim/workload.ts'

describe('blocks that are kept', () => {
  it('match from the first one on, up to one that is not there', () => {
    const cache = new BlockCache(10)
    cache.keep([1, 2, 3, 4])
    expect([cache.match([1, 2, 3, 4, 5]), cache.match([1, 2, 9, 4]), cache.match([9, 2]), cache.match([])]).toEqual([
      4, 2, 0, 0,
    ])
  })

  it('go the longest unused first, and of one prompt its end before its beginning', () => {
    const cache = new BlockCache(5)
    cache.keep([1, 2, 3])
    cache.keep([1, 5, 6])
    expect([cache.size, cache.match([1, 2, 3]), cache.match([1, 5, 6])]).toEqual([5, 3, 3])
    cache.keep([1, 7])
    expect([cache.size, cache.match([1, 2, 3]), cache.match([1, 5, 6])]).toEqual([5, 2, 3])
  })

  it('are none where there is no room, or all is gone', () => {
    const none = new BlockCache(0)
    none.keep([1])
    expect([none.size, none.match([1])]).toEqual([0, 0])
    const cache = new BlockCache(5)
    cache.keep([1, 2])
    cache.clear()
    expect(cache.match([1, 2])).toBe(0)
  })
})

describe('the print of a prompt', () => {
  const stream: Stream = { name: 's', key: 's', class: 'default', objective: personal, patienceMs: endlessMs }
  const arrival = (count: number, input: number) => {
    const blocks = Array.from({ length: count }, (_, at) => 1_000 + at)
    return { atMs: 0, stream, input, output: 1, inputExpected: 1, outputMistake: 1, blocks, commonBlocks: 2 }
  }

  it('has a digest for each block and where it ends, in bytes', () => {
    expect(promptOf(arrival(3, 200), 64).print).toEqual({
      digests: [1_000, 1_001, 1_002],
      ends: [256, 512, 768],
      bytes: 800,
      commonCount: 2,
      owner: 's',
    })
  })

  it('is coarser far in, at the same places in prompts of any length', () => {
    const digests = (count: number) => promptOf(arrival(count, count * 64), 64).print!.digests
    const [long, longer] = [digests(600), digests(900)]
    expect(long.length).toBeLessThan(256)
    expect(longer.slice(0, long.length)).toEqual(long)
  })

  it('is none where nothing is known of it', () => {
    expect(promptOf({ ...arrival(0, 200) }, 64).print).toBeNull()
  })
})
