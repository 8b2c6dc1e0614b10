/** The key of a host that is added from the command line: from the environment only, since others can read a command line. */
import type { Environment } from './interpolation.ts'

export const hostKeyVariable = 'LMX_GATEWAY_HOST_KEY'

/** Undefined where there is none. */
export function hostKey(given?: Environment): string | undefined {
  // oxlint-disable-next-line no-restricted-properties -- config/ is the room that reads the environment
  const key = (given ?? process.env)[hostKeyVariable]?.trim() ?? ''
  return key === '' ? undefined : key
}
