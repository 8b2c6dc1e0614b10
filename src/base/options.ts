/** When the gateway itself is short of memory or of processor time. */
import { z } from 'zod'
import { positiveMilliseconds } from './option-types.ts'

const percent = z.int().min(1).max(100)

export const overloadOptions = z.strictObject({
  tightHeapPercent: percent
    .default(85)
    .describe('Live heap, of what it may grow to, from which nobody new may wait and connections are not kept'),
  shedHeapPercent: percent.default(90).describe('Live heap from which every newcomer is answered 503 overloaded'),
  shedLagMs: positiveMilliseconds
    .default(200)
    .describe(
      'Delay of the event loop from which, once it has lasted for shedLagForMs, newcomers are answered 503 too',
    ),
  shedLagForMs: positiveMilliseconds.default(5_000).describe('How long that delay must last, or be gone again'),
})

export type OverloadOptions = z.infer<typeof overloadOptions>
