/** Rules that no single field can state: what listens where, and names that must be told apart. */
import { aliasFindings } from './aliases.ts'
import { defaults } from './defaults.ts'
import { isLoopback, isWildcard } from './loopback.ts'
import type { Finding } from './problem.ts'
import { redisFindings } from './redis-rules.ts'
import { list, mapping, text } from './untyped.ts'

/** Looks at each field by itself, so that these faults are named together with whatever else is wrong. */
export function brokenRules(input: unknown): Finding[] {
  const root = mapping(input)
  const server = { ...defaults.server, ...mapping(root['server']) }
  const admin = { ...defaults.admin, ...mapping(root['admin']) }
  const hosts = list(root['hosts']).map((host) => ({
    name: text(mapping(host)['name']),
    url: text(mapping(host)['url']),
  }))
  return [
    ...openAdmin(admin),
    ...samePort(server, admin),
    ...twice(hosts.map((host) => host.name)).map((index) => onHost(index, 'name', 'another host has this name')),
    ...twice(hosts.map((host) => canonicalUrl(host.url))).map((index) =>
      onHost(index, 'url', 'this host is already listed; list it once, and give it more slots if it can take more'),
    ),
    ...loadsWithoutKey(list(root['hosts'])),
    ...aliasFindings(input),
    ...nothingToSend(mapping(root['otlp']), mapping(root['metrics'])),
    ...redisFindings(input),
    ...tightAboveShed(mapping(root['overload']), defaults.overload),
  ]
}

interface Listener {
  readonly bind: unknown
  readonly port: unknown
}

function openAdmin(admin: Listener & { readonly metricsToken?: unknown }): Finding[] {
  if (admin.metricsToken !== undefined || !isOpen(admin.bind)) return []
  const message =
    `${admin.bind} can be reached from other machines: bind to 127.0.0.1, ` +
    'or set admin.metricsToken (LMX_GATEWAY_METRICS_TOKEN), which a scraper then sends as its bearer token'
  return [{ path: ['admin', 'bind'], part: 'value', message }]
}

function samePort(server: Listener, admin: Listener): Finding[] {
  const meet = server.bind === admin.bind || isEvery(server.bind) || isEvery(admin.bind)
  if (typeof admin.port !== 'number' || admin.port === 0 || server.port !== admin.port || !meet) return []
  const message = `${admin.port} is also the port for clients (server.port); the two listeners need two ports`
  return [{ path: ['admin', 'port'], part: 'value', message }]
}

/** By an open admin API anybody could have models loaded: the gateway does not rely on one. */
function loadsWithoutKey(hosts: readonly unknown[]): Finding[] {
  return hosts.flatMap((host, index) => {
    const { allowModelLoads, adminKey, kind } = mapping(host)
    if (allowModelLoads !== true) return []
    if (kind !== undefined && kind !== 'lmx') {
      return [
        onHost(index, 'allowModelLoads', 'has no effect for this kind: it loads what a request names, or nothing'),
      ]
    }
    const message =
      'needs adminKey of this host; where its admin API is open, set a key there first (security.admin_key)'
    return typeof adminKey === 'string' && adminKey !== '' ? [] : [onHost(index, 'allowModelLoads', message)]
  })
}

/** An address to which nothing would ever be sent is a mistake that nobody would see. */
function nothingToSend(otlp: Readonly<Record<string, unknown>>, metrics: Readonly<Record<string, unknown>>): Finding[] {
  if (otlp['endpoint'] === undefined) return []
  const isOff = metrics['enabled'] === false
  if (otlp['metrics'] === true && isOff) {
    const message = 'there is nothing to send while metrics.enabled is false'
    return [{ path: ['otlp', 'metrics'], part: 'value', message }]
  }
  if (otlp['traces'] !== false || otlp['metrics'] === true) return []
  const message = 'nothing is sent there: otlp.traces is false and otlp.metrics is not true'
  return [{ path: ['otlp', 'endpoint'], part: 'value', message }]
}

/** Whoever may still wait while newcomers are turned away is nobody: the first step would never be seen. */
function tightAboveShed(
  given: Readonly<Record<string, unknown>>,
  byDefault: Readonly<Record<'tightHeapPercent' | 'shedHeapPercent', number>>,
): Finding[] {
  const { tightHeapPercent: tight, shedHeapPercent: shed } = { ...byDefault, ...given }
  if (typeof tight !== 'number' || typeof shed !== 'number' || tight <= shed) return []
  return given['tightHeapPercent'] === undefined
    ? [onHeap('shedHeapPercent', `must be at least ${tight}, which is overload.tightHeapPercent, not ${shed}`)]
    : [onHeap('tightHeapPercent', `must be at most ${shed}, which is overload.shedHeapPercent, not ${tight}`)]
}

function onHeap(field: string, message: string): Finding {
  return { path: ['overload', field], part: 'value', message }
}

function isOpen(bind: unknown): bind is string {
  return typeof bind === 'string' && bind !== '' && !isLoopback(bind)
}

function isEvery(bind: unknown): boolean {
  return typeof bind === 'string' && isWildcard(bind)
}

function onHost(index: number, field: string, message: string): Finding {
  return { path: ['hosts', index, field], part: 'value', message }
}

/** Places whose value stood before. */
function twice(values: readonly (string | undefined)[]): number[] {
  return values.flatMap((value, index) => (value !== undefined && values.indexOf(value) < index ? [index] : []))
}

function canonicalUrl(url: string | undefined): string | undefined {
  return url !== undefined && URL.canParse(url) ? new URL(url).href.replace(/\/+$/, '') : url
}
