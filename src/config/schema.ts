/** The whole configuration, composed of the rooms' options; defaults live there and nowhere else. */
import { z } from 'zod'
import { limitsOptions, teamsOptions } from '../access/options.ts'
import { balancingOptions } from '../balancing/options.ts'
import { overloadOptions } from '../base/options.ts'
import {
  type HostOptions,
  healthOptions,
  hostsOptions,
  modelsOptions,
  probeOptions,
  sloOptions,
} from '../hosts/options.ts'
import { adminOptions, serverOptions } from '../http/options.ts'
import { usageOptions } from '../metering/options.ts'
import { logOptions, metricsOptions, otlpOptions } from '../observe/options.ts'
import { queueOptions } from '../queue/options.ts'
import { relayOptions } from '../relay/options.ts'
import { storageOptions } from '../stores/options.ts'

/** The address Opta LMX has by convention on a home network; used when no host is configured at all. */
const hostUrlDefault = 'http://192.168.188.11:1234'

export const configSchema = z.strictObject({
  server: serverOptions.prefault({}),
  admin: adminOptions.prefault({}),
  hosts: hostsOptions.prefault([{ url: hostUrlDefault }]),
  models: modelsOptions.prefault({}),
  probe: probeOptions.prefault({}),
  health: healthOptions.prefault({}),
  slo: sloOptions.prefault({}),
  balancing: balancingOptions.prefault({}),
  queue: queueOptions.prefault({}),
  relay: relayOptions.prefault({}),
  overload: overloadOptions.prefault({}),
  limits: limitsOptions.prefault({}),
  teams: teamsOptions,
  usage: usageOptions.prefault({}),
  storage: storageOptions.prefault({}),
  log: logOptions.prefault({}),
  metrics: metricsOptions.prefault({}),
  otlp: otlpOptions.prefault({}),
})

export type ParsedConfig = z.output<typeof configSchema>

/** A host whose name is settled: what the operator gave, else the host and port of its URL. */
type NamedHost = HostOptions & { readonly name: string }
/** What the gateway is built from: every default filled in, every host named, no two alike. */
export type ResolvedConfig = Omit<ParsedConfig, 'hosts' | 'storage'> & {
  readonly hosts: readonly NamedHost[]
  readonly storage: ParsedConfig['storage'] & { readonly path: string }
}
