/** One host as found at start, for the operator's eyes. */
import type { Host } from './host.ts'

export interface HostReport {
  readonly name: string
  readonly url: string
  /** Kind, once known. */
  readonly kind: string | null
  /** Null when the host answered its first probe, else one sentence on why not. */
  readonly problem: string | null
  readonly models: readonly string[]
  readonly slots: number
}

export function reportOf(host: Host): HostReport {
  return {
    name: host.name,
    url: host.url.href,
    kind: host.kind?.name ?? null,
    problem: host.problem,
    models: [...new Set([...(host.models?.keys() ?? []), ...host.configuredModels])],
    slots: host.slots,
  }
}
