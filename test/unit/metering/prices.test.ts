import { expect, test } from 'vitest'
import { costs } from '../../../src/metering/prices.ts'

const prices = {
  fast: { inputPerMillion: 1, outputPerMillion: 2 },
  'org/model': { inputPerMillion: 10, cachedInputPerMillion: 1, outputPerMillion: 20 },
}
const tokens = { input: 100, cachedInput: 40, output: 7, reasoning: 3 }

test.each([
  ['the price of the name that was asked for', { asked: 'fast', atHost: 'org/model' }, 100 * 1 + 7 * 2],
  ['that of the model behind an alias without one', { asked: 'best', atHost: 'org/model' }, 60 * 10 + 40 * 1 + 7 * 20],
  ['the same where nobody knows of an alias', { asked: 'org/model', atHost: 'org/model' }, 60 * 10 + 40 * 1 + 7 * 20],
  ['the same before a host has it', { asked: 'org/model', atHost: null }, 60 * 10 + 40 * 1 + 7 * 20],
])('%s counts', (_which, model, micros) => {
  expect(costs(prices)(model, tokens)).toBe(micros * 1_000)
})

test('a model without a price costs nothing that is known, whatever it is called', () => {
  for (const asked of ['other', '__proto__', 'constructor'])
    expect(costs(prices)({ asked, atHost: asked }, tokens)).toBeNull()
})

test('fractions of the smallest part are rounded once, over the whole request', () => {
  const cheap = costs({ m: { inputPerMillion: 0.0001, outputPerMillion: 0.0004 } })
  expect(cheap({ asked: 'm', atHost: null }, { input: 3, cachedInput: 0, output: 3, reasoning: 0 })).toBe(2)
})
