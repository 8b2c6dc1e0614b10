/** Options of the ledger: how long rows are kept and what tokens cost. */
import { z } from 'zod'
import { count } from '../base/option-types.ts'

const price = z.number().min(0).max(1_000_000)

const modelPrice = z.strictObject({
  inputPerMillion: price.describe('A million prompt tokens'),
  cachedInputPerMillion: price.optional().describe('The same, taken from a cache; default: as the others'),
  outputPerMillion: price.describe('A million generated tokens'),
})

export const usageOptions = z.strictObject({
  retentionDays: count
    .min(32)
    .max(36_500)
    .default(400)
    .describe('Rows of the ledger older than this are removed; a month is kept in any case, for limits per month'),
  currency: z.string().min(1).max(8).default('USD').describe('What prices are in'),
  prices: z
    .record(z.string().min(1), modelPrice)
    .default({})
    .describe('By model, as clients name it, else as its host does; models without a price cost nothing'),
})

export type ModelPrice = z.infer<typeof modelPrice>
