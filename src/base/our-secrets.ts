/** What our own secrets begin with, so that they are known wherever somebody puts one. */

/** By it scanners for leaked secrets know our keys. */
export const keyPrefix = 'lmx_live_'
export const adminTokenPrefix = 'lmx_admin_'

/** Whether a text holds what may be one of our secrets, or a part of one. */
export function looksLikeOurs(text: string): boolean {
  const lower = text.toLowerCase()
  return lower.includes(keyPrefix) || lower.includes(adminTokenPrefix)
}
