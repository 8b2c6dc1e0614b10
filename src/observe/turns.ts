/** Long work cut into turns of the event loop so short that no stream waits for them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'

/** The longest that steps follow each other without one; what they leave to the garbage collector comes on top. */
const turnMsMax = 1

/** Takes all steps, and lets others have their turn before the first, so that what came before is not added to it. */
export async function inTurns<Result>(steps: Steps<Result>, clock: Pick<Clock, 'now'>): Promise<Result> {
  await nextTurn()
  let beganMs = clock.now()
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (clock.now() - beganMs < turnMsMax) continue
    await nextTurn()
    beganMs = clock.now()
  }
}
