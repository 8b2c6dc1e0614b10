/** What tokens cost, by the prices of the configuration. */
import type { ModelPrice } from './options.ts'
import type { TokenCounts } from './usage.ts'

/** Makes the function that tells the cost in 10^-9 of the currency, a whole number; null for a model without a price. */
export function costs(
  prices: Readonly<Record<string, ModelPrice>>,
): (model: string, tokens: TokenCounts) => number | null {
  const byModel = new Map(Object.entries(prices))
  return (model, { input, cachedInput, output }) => {
    const price = byModel.get(model)
    if (price === undefined) return null
    const { inputPerMillion, cachedInputPerMillion = inputPerMillion, outputPerMillion } = price
    // A price per million tokens is 10^-6 of it per token.
    const micros =
      (input - cachedInput) * inputPerMillion + cachedInput * cachedInputPerMillion + output * outputPerMillion
    return Math.round(micros * 1_000)
  }
}
