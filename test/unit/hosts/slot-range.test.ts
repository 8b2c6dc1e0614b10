/** What configuration, host and kind say about slots, put together. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { type ConfiguredSlots, type SlotRange, slotRange } from '../../../src/hosts/slot-range.ts'

const range = (min: number, max: number, start = min): SlotRange => ({ min, max, start })

test.each([
  ['lmx', range(2, 4)],
  ['vllm', range(16, 64)],
  ['lm-studio', range(4, 8)],
  ['openai', range(4, 8)],
  ['ollama', range(1, 1)],
  ['mlx-lm', range(1, 1)],
  ['llama-cpp', range(4, 4)],
] as const)('%s adapts from its number up to the most of its kind', (kind, expected) => {
  expect(slotRange(undefined, undefined, hostKind(kind))).toEqual(expected)
})

test('before the kind is known there are four', () => {
  expect(slotRange(undefined, undefined, null)).toEqual(range(4, 4))
})

test.each<[string, ConfiguredSlots | undefined, number | undefined, SlotRange]>([
  ['what the host says is its number, and no more is tried', undefined, 6, range(6, 6)],
  ['a configured number wins over what the host says', 3, 6, range(3, 3)],
  ['a configured maximum', { max: 5 }, undefined, range(2, 5)],
  ['a maximum below the usual number takes the minimum along', { max: 1 }, undefined, range(1, 1)],
  ['a configured minimum below the usual number: it begins with that', { min: 1 }, undefined, range(1, 4, 2)],
  ['a minimum above the most of the kind takes the maximum along', { min: 12 }, undefined, range(12, 12)],
  ['a maximum beyond what the host says has no effect', { max: 16 }, 6, range(6, 6)],
  ['nor has such a minimum', { min: 7, max: 16 }, 6, range(6, 6)],
  ['below what the host says it may go where that is configured', { min: 1 }, 6, range(1, 6, 6)],
])('%s', (_title, configured, reported, expected) => {
  expect(slotRange(configured, reported, hostKind('lmx'))).toEqual(expected)
})

test('whatever is said, the start is between a minimum of at least one and the maximum', () => {
  const slots = fc.integer({ min: 1, max: 1_024 })
  const maybe = fc.option(slots, { nil: undefined })
  const kinds = fc.constantFrom(null, hostKind('lmx'), hostKind('ollama'), hostKind('vllm'))
  fc.assert(
    fc.property(fc.oneof(slots, fc.record({ min: maybe, max: maybe })), maybe, kinds, (configured, reported, kind) => {
      const { min, max, start } = slotRange(configured, reported, kind)
      expect(min).toBeGreaterThanOrEqual(1)
      expect(start).toBeGreaterThanOrEqual(min)
      expect(max).toBeGreaterThanOrEqual(start)
    }),
  )
})
