/** Tells addresses that only this machine can reach from all others. */
import { isIPv4, isIPv6 } from 'node:net'

/** 127.0.0.0/8, ::1 in every spelling, IPv4 loopback mapped into IPv6, and `localhost` (RFC 6761 6.3). */
export function isLoopback(address: string): boolean {
  if (address.toLowerCase() === 'localhost') return true
  if (isIPv4(address)) return address.startsWith('127.')
  if (!isIPv6(address) || address.includes('%')) return false
  // The URL parser brings an IPv6 address into its one canonical form.
  const canonical = new URL(`http://[${address}]/`).hostname
  return canonical === '[::1]' || /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(canonical)
}

/** True for the addresses that mean "every address of this machine". */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || (isIPv6(address) && /^[0:]+$/.test(address))
}
