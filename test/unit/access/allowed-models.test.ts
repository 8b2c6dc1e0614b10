import { expect, test } from 'vitest'
import { allowsModel } from '../../../src/access/allowed-models.ts'

test.each([
  [null, 'anything', true],
  [['qwen3-8b'], 'qwen3-8b', true],
  [['qwen3-8b'], 'qwen3-8b-instruct', false],
  [['qwen3-8b'], 'Qwen3-8b', false],
  [['qwen3-*'], 'qwen3-8b', true],
  [['qwen3-*'], 'qwen3-', true],
  [['qwen3-*'], 'qwen2-8b', false],
  [['qwen3.*'], 'qwen3-8b', false],
  [['*'], 'anything', true],
  [['a', 'b*'], 'bc', true],
  [[], 'a', false],
])('%j allows %s: %s', (models, name, allowed) => {
  expect(allowsModel(models, name)).toBe(allowed)
})
