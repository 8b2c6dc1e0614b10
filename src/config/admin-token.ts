/** The admin token of a gateway elsewhere: from the environment only, since others can read a command line. */
import type { Environment } from './interpolation.ts'

export const adminTokenVariable = 'LMX_GATEWAY_ADMIN_TOKEN'

/** Null where there is none. */
export function adminToken(given?: Environment): string | null {
  // oxlint-disable-next-line no-restricted-properties -- config/ is the room that reads the environment
  const token = (given ?? process.env)[adminTokenVariable]?.trim() ?? ''
  return token === '' ? null : token
}
