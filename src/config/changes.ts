/** What differs between two configurations, and which of it takes effect while the gateway runs. */
import { isDeepStrictEqual } from 'node:util'
import type { ResolvedConfig } from './schema.ts'

export interface ConfigChange {
  /** What holds from now on: the new configuration, but for what waits. */
  readonly inForce: ResolvedConfig
  /** Settings that differ and hold from now on, dotted: `models.aliases.fast`. */
  readonly changed: readonly string[]
  /** Settings that differ and hold from the next start on. */
  readonly waiting: readonly string[]
}

/**
 * Settings that take effect at once, each with all that is below it; those that are not here wait for a start. The parts
 * that they are for are told in the composition root.
 */
export const liveSettings = [
  'admin.hostNetworks',
  'balancing.policy',
  'health',
  'hosts',
  'limits.cachedInputWeight',
  'limits.default',
  'limits.waitMsMax',
  'log.level',
  'models.aliases',
  'models.clocks',
  'models.contextTokensMax',
  'models.residency',
  'overload',
  'probe',
  'queue',
  'relay',
  'server.drainMsMax',
  'server.reloadOnChange',
  'server.shutdownDelayMs',
  'slo',
  'teams',
  'usage.prices',
  'usage.retentionDays',
] as const

/** Below these, and waiting all the same. */
export const waitingSettings = ['queue.order', 'relay.storedResponsesMax'] as const

/** `now`: what is in force. */
export function configChange(now: ResolvedConfig, wanted: ResolvedConfig): ConfigChange {
  const changed: string[] = []
  const waiting: string[] = []
  let inForce: unknown = wanted
  for (const path of differences(now, wanted)) {
    if (isLive(path)) changed.push(path.join('.'))
    else {
      waiting.push(path.join('.'))
      inForce = placed(inForce, path, valueAt(now, path))
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each place has the value of one of two such configurations
  return { inForce: inForce as ResolvedConfig, changed, waiting }
}

type Path = readonly string[]

/** The places that differ, each as deep as both are mappings; of lists there is only the whole. */
function differences(one: unknown, other: unknown, path: Path = []): Path[] {
  if (!isMapping(one) || !isMapping(other)) return isDeepStrictEqual(one, other) ? [] : [path]
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...keys].flatMap((key) => differences(one[key], other[key], [...path, key]))
}

function isLive(path: Path): boolean {
  const isBelow = (prefix: string): boolean => `${path.join('.')}.`.startsWith(`${prefix}.`)
  return liveSettings.some(isBelow) && !waitingSettings.some(isBelow)
}

function placed(target: unknown, [first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value
  const base = isMapping(target) ? target : {}
  const { [first]: below, ...others } = base
  const inner = placed(below, rest, value)
  return inner === undefined ? others : { ...others, [first]: inner }
}

function valueAt(target: unknown, path: Path): unknown {
  return path.reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), target)
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
