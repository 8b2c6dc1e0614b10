/** Hosts in a known state, without a server: for tests of what decides over hosts. */
import { Host, type HostSettings } from '../../src/hosts/host.ts'
import type { HostModel } from '../../src/hosts/kinds/host-kind.ts'
import { hostKind } from '../../src/hosts/kinds/kinds.ts'

export interface KnownHost extends Partial<Omit<HostSettings, 'url'>> {
  /** Null: no list was ever read. */
  readonly lists?: readonly string[] | null
  readonly up?: boolean
}

export function knownModel(id: string, resident = true): HostModel {
  return { id, created: 1_700_000_000, ownedBy: 'local', resident }
}

/** Up and listing its models, unless said otherwise. Nothing is ever sent to its address. */
export function knownHost(name: string, { lists = ['m'], up = true, ...settings }: KnownHost = {}): Host {
  const host = new Host(
    { name, url: 'http://127.0.0.1:9', kind: hostKind('lmx'), models: [], ...settings },
    { connectMsMax: 1_000 },
  )
  host.probeSucceeded({ models: lists?.map((id) => knownModel(id)) ?? null })
  if (!up) host.connectFailed('connection refused')
  return host
}
