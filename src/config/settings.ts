/** The common settings that need no file: one table from which flags, environment variables and --help are made. */
import type { ConfigPath } from './problem.ts'

export interface Setting {
  /** Null for what must not be on a command line, where every user of the machine can read it. */
  readonly flag: string | null
  readonly environment: string
  /** Where it stands in the file; null for what only makes sense outside it. */
  readonly path: ConfigPath | null
  readonly kind: 'text' | 'number' | 'switch' | 'hosts'
  /** Stands for the value in --help. */
  readonly value: string
  readonly help: string
  /** As --help shows it; a test holds it against the schema. */
  readonly default?: string
}

export const settings = [
  {
    flag: 'host-url',
    environment: 'LMX_GATEWAY_HOST_URLS',
    path: ['hosts'],
    kind: 'hosts',
    value: 'URL',
    help: 'An inference host, repeatable; given here, those of the file do not count',
    default: 'http://192.168.188.11:1234',
  },
  {
    flag: 'port',
    environment: 'LMX_GATEWAY_PORT',
    path: ['server', 'port'],
    kind: 'number',
    value: 'N',
    help: 'Port for clients; 0 takes a free one',
    default: '4000',
  },
  {
    flag: 'bind',
    environment: 'LMX_GATEWAY_BIND',
    path: ['server', 'bind'],
    kind: 'text',
    value: 'ADDRESS',
    help: 'Address for clients; off loopback only with a key or --allow-anonymous',
    default: '127.0.0.1',
  },
  {
    flag: 'allow-anonymous',
    environment: 'LMX_GATEWAY_ALLOW_ANONYMOUS',
    path: ['server', 'allowAnonymous'],
    kind: 'switch',
    value: '',
    help: 'Whoever reaches the port may use the hosts, on any address',
  },
  {
    flag: 'admin-port',
    environment: 'LMX_GATEWAY_ADMIN_PORT',
    path: ['admin', 'port'],
    kind: 'number',
    value: 'N',
    help: 'Port for /metrics and the admin API; 0 takes a free one',
    default: '4001',
  },
  {
    flag: 'admin-bind',
    environment: 'LMX_GATEWAY_ADMIN_BIND',
    path: ['admin', 'bind'],
    kind: 'text',
    value: 'ADDRESS',
    help: 'Address for /metrics and the admin API; off loopback only with a metrics token',
    default: '127.0.0.1',
  },
  {
    flag: null,
    environment: 'LMX_GATEWAY_METRICS_TOKEN',
    path: ['admin', 'metricsToken'],
    kind: 'text',
    value: 'TOKEN',
    help: 'Bearer token that /metrics asks for',
  },
  {
    flag: 'queue-length-max',
    environment: 'LMX_GATEWAY_QUEUE_LENGTH_MAX',
    path: ['queue', 'lengthMax'],
    kind: 'number',
    value: 'N',
    help: 'Requests that may wait for a slot',
    default: '1024',
  },
  {
    flag: 'store',
    environment: 'LMX_GATEWAY_STORE',
    path: ['storage', 'path'],
    kind: 'text',
    value: 'FILE',
    help: 'Where keys are kept, and the ledger beside it; :memory: keeps nothing',
  },
  {
    flag: 'log-format',
    environment: 'LMX_GATEWAY_LOG_FORMAT',
    path: ['log', 'format'],
    kind: 'text',
    value: 'FORMAT',
    help: 'auto, json or text; auto is text on a terminal',
    default: 'auto',
  },
  {
    flag: 'log-level',
    environment: 'LMX_GATEWAY_LOG_LEVEL',
    path: ['log', 'level'],
    kind: 'text',
    value: 'LEVEL',
    help: 'debug, info, warn or error',
    default: 'info',
  },
  {
    flag: 'config',
    environment: 'LMX_GATEWAY_CONFIG',
    path: null,
    kind: 'text',
    value: 'FILE',
    help: 'Configuration file',
    default: './lmx-gateway.yaml, if there is one',
  },
] as const satisfies readonly Setting[]

/** Flags as they were given, in order; a switch is 'true' or 'false'. */
export type FlagValues = ReadonlyMap<string, readonly string[]>
