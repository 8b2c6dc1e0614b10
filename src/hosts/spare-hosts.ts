/** Which hosts a fleet can do without. */
import type { Host } from './host.ts'

/** A host that comes and goes is left out while another one is up; the only one is better than none. */
export function canSpare(host: Host, hosts: readonly Host[]): boolean {
  return hosts.some((other) => other !== host && other.up)
}

/** At most half of all hosts may be out at once: ejecting everything would turn a bad hour into an outage. */
export function mayEjectOneMore(hosts: readonly Host[]): boolean {
  const out = hosts.filter(({ health }) => health.ejected && !health.throttled).length
  return 2 * (out + 1) <= hosts.length
}
