/** A log for tests that look at other things. */
import type { Log } from '../../src/base/log.ts'

export const silentLog: Log = () => {}
