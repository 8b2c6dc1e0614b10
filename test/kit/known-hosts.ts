/** Hosts in a known state, without a server: for tests of what decides over hosts. */
import type { Clock } from '../../src/base/clock.ts'
import { Host } from '../../src/hosts/host.ts'
import type { HostParts, HostSettings } from '../../src/hosts/host-settings.ts'
import type { HostModel } from '../../src/hosts/kinds/host-kind.ts'
import { hostKind } from '../../src/hosts/kinds/kinds.ts'
import type { HostSlo } from '../../src/hosts/options.ts'
import { FakeClock } from './fake-clock.ts'

export interface KnownHost extends Partial<Omit<HostSettings, 'url'>> {
  /** Null: no list was ever read. */
  readonly lists?: readonly string[] | null
  readonly up?: boolean
  /** As configured by default, unless said otherwise. */
  readonly slo?: HostSlo
  /** Its clock and what it tells; time stands still unless said otherwise. */
  readonly parts?: Partial<HostParts>
}

/** As configured by default. */
export const healthDefaults = { ejectMs: 15_000, slowStartMs: 30_000 }
export const sloDefaults: HostSlo = { timePerOutputTokenMsMax: 100, firstTokenMsMax: 10_000 }

/** Chance is in the middle, so nothing is spread. */
export function hostParts(parts: Partial<HostParts> = {}): HostParts {
  const clock: Clock = parts.clock ?? new FakeClock()
  return {
    clock,
    log: () => {},
    chance: () => 0.5,
    mayEject: () => true,
    canSpare: () => true,
    onChange: () => {},
    ...parts,
  }
}

export function knownModel(id: string, resident = true): HostModel {
  return { id, created: 1_700_000_000, ownedBy: 'local', resident }
}

/** Up and listing its models, unless said otherwise. Nothing is ever sent to its address. */
export function knownHost(
  name: string,
  { lists = ['m'], up = true, slo = sloDefaults, parts, ...settings }: KnownHost = {},
): Host {
  const host = new Host(
    { name, url: 'http://127.0.0.1:9', kind: hostKind('lmx'), models: [], ...settings },
    { connectMsMax: 1_000, health: healthDefaults, slo },
    hostParts(parts),
  )
  host.probeSucceeded({ models: lists?.map((id) => knownModel(id)) ?? null })
  if (!up) host.connectFailed('connection refused')
  return host
}
