/** Waiting as a command does: a timer of the gateway's clock would let the process end meanwhile. */
import { scheduler } from 'node:timers/promises'

/** Resolves after so long; until then the process stays. */
export function stay(forMs: number): Promise<void> {
  return scheduler.wait(forMs)
}
