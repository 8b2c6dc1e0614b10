/** Options of choosing a host. */
import { z } from 'zod'

export const balancingOptions = z.strictObject({
  policy: z.enum(['least-busy']).default('least-busy').describe('How a host is chosen among those that could serve'),
})

export type BalancingOptions = z.infer<typeof balancingOptions>
