/** A ledger's store that tells what happens to it, for a process that will be killed. */
import type { LedgerRow, LedgerStore } from '../../src/metering/ledger-store.ts'

/**
 * Each line stands before the next thing happens: `b 3 ID=OUTPUT ID=OUTPUT! …` as the third batch begins (`!` where it is settled),
 * `w 3` once it is written.
 */
export function toldWrites(
  write: (rows: readonly LedgerRow[], number: number) => Promise<void>,
): Pick<LedgerStore, 'write'> {
  let number = 0
  return {
    async write(rows) {
      number += 1
      const batch = number
      const told = rows.map(({ admitted, figures, settled }) =>
        settled === null ? `${admitted.id}=${figures?.output ?? 0}` : `${admitted.id}=${settled.output}!`,
      )
      process.stdout.write(`b ${batch} ${told.join(' ')}\n`)
      await write(rows, batch)
      process.stdout.write(`w ${batch}\n`)
    },
  }
}
