/** The Redis that a configuration names, looked at as a start would: its files must be there, and it is told whether it is. */

import { systemClock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { StartError } from '../base/start-error.ts'
import type { Problem } from '../config/problem.ts'
import type { ResolvedConfig } from '../config/schema.ts'
import { printable } from './printable.ts'

export interface SeenRedis {
  readonly at: string
  readonly fleet: string
  /** `Redis 7.0.15`; null where it is not there, or does not say. */
  readonly server: string | null
  /** Why it cannot be used now: a gateway goes on without, and uses it when it can. */
  readonly problem: string | null
}

export interface RedisCheck {
  readonly problems: readonly Problem[]
  /** What a start would warn of. */
  readonly notes: readonly string[]
  /** Null where none is named. */
  readonly seen: SeenRedis | null
}

export async function checkRedis({ storage: { redis } }: ResolvedConfig): Promise<RedisCheck> {
  if (redis === undefined) return { problems: [], notes: [], seen: null }
  const { RedisLink } = await import('../stores/redis/link.ts')
  const { placeOf, readTarget } = await import('../stores/redis/target.ts')
  const notes: string[] = []
  const log: Log = (level, message, fields = {}) => {
    if (level === 'warn') notes.push(printable(`${message} (now ${fields['evictionPolicy']})`))
  }
  const link = new RedisLink(redis, { clock: systemClock, log, chance: Math.random })
  try {
    const at = placeOf(readTarget(redis))
    await link.start()
    const { server, problem } = link.state
    if (problem !== null) notes.push(printable(`Redis cannot be used now: ${problem.replace(/\.$/, '')}`))
    return { problems: [], notes, seen: { at, fleet: redis.fleet, server, problem } }
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    // It says by itself what it is about.
    const problem = { source: null, line: null, column: null, path: '', message: error.message }
    return { problems: [problem], notes, seen: null }
  } finally {
    await link.close()
  }
}

export function redisText({ at, fleet, server, problem }: SeenRedis): string {
  return `  redis    ${at}  fleet ${fleet}  ${problem === null ? (server ?? 'version unknown') : 'cannot be used now'}`
}
