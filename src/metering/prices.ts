/** What tokens cost, by the prices of the configuration. */
import type { ModelPrice } from './options.ts'
import type { TokenCounts } from './usage.ts'

/** Names that a model has: as its client asked, and at its host. */
export interface ModelNames {
  readonly asked: string
  readonly atHost: string | null
}

/** In 10^-9 of the currency, a whole number; null for a model without a price. */
export type CostOf = (model: ModelNames, tokens: TokenCounts) => number | null

/** A price of the name that was asked for counts first; without one, that of the model behind the alias. */
export function costs(prices: Readonly<Record<string, ModelPrice>>): CostOf {
  const byModel = new Map(Object.entries(prices))
  return ({ asked, atHost }, { input, cachedInput, output }) => {
    const price = byModel.get(asked) ?? byModel.get(atHost ?? asked)
    if (price === undefined) return null
    const { inputPerMillion, cachedInputPerMillion = inputPerMillion, outputPerMillion } = price
    // A price per million tokens is 10^-6 of it per token.
    const micros =
      (input - cachedInput) * inputPerMillion + cachedInput * cachedInputPerMillion + output * outputPerMillion
    return Math.round(micros * 1_000)
  }
}
