/** A usage report as the admin API answers it; the command line checks by it what another machine says. */
import { z } from 'zod'
import { timeZone } from '../base/option-types.ts'
import { usageGroups } from './ledger-store.ts'

const time = z.iso.datetime().describe('ISO 8601, in UTC')
const amount = z.int().min(0)
const group = z.string().nullable().exactOptional()

const figures = {
  requests: amount,
  failed: amount.describe('Of them: ended with an error, or left'),
  unfinished: amount.describe('Of them: not ended, or of a gateway that died'),
  input: amount.describe('Prompt tokens'),
  cachedInput: amount,
  output: amount.describe('Generated tokens'),
  reasoning: amount,
  inputUnreported: amount.describe('Of the prompt tokens: not reported by a host'),
  outputUnreported: amount.describe('Of the generated tokens: not reported by a host'),
  cost: z.number().describe('In the currency'),
}

export const usageReportSchema = z.strictObject({
  from: time.nullable(),
  to: time.nullable(),
  timeZone,
  currency: z.string(),
  by: z.array(z.enum(usageGroups)),
  rows: z.array(
    z.strictObject({ key: group, keyId: group, team: group, model: group, host: group, day: group, ...figures }),
  ),
  total: z.strictObject(figures),
})
