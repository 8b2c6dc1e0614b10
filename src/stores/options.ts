/** Options of what is kept on disk. */
import { z } from 'zod'
import { count } from '../base/option-types.ts'

export const storageOptions = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe(
      'SQLite file of keys; the ledger lies beside it. Default: lmx-gateway/gateway.db under $XDG_STATE_HOME, else ~/.local/state. :memory: keeps nothing',
    ),
  whenUnwritable: z
    .enum(['refuse', 'serve'])
    .default('refuse')
    .describe('At a start when the files can be read but not written: refuse, or serve with what they hold'),
  whenFull: z
    .enum(['continue', 'refuse'])
    .default('continue')
    .describe(
      'Once pendingRowsMax rows could not be written: go on and count the rows that are lost, or answer newcomers 503',
    ),
  pendingRowsMax: count
    .default(100_000)
    .describe('Rows of the ledger that are held in memory while they cannot be written, some 60 MB'),
})
