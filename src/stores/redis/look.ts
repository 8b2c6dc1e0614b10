/** What a connection is held against before it is used: what server it is, and whether it takes a write now. */
import type { Clock } from '../../base/clock.ts'
import type { RedisConnection } from './connection.ts'
import { RedisRefused } from './problems.ts'
import { Script } from './script.ts'

export interface SeenServer {
  /** As people call it: `Redis 7.0.15`; null where it does not say. */
  readonly name: string | null
  /** What it does with keys once its memory is full; null where it does not say. */
  readonly evictionPolicy: string | null
}

/**
 * A write, because a server that is full, only a replica, or paused for writes still answers a ping. KEYS epoch, look.
 */
const lookScript = new Script(
  'look',
  `
redis.call('PUBLISH', KEYS[2], '')
redis.call('SET', KEYS[2], '1')
return redis.call('DEL', KEYS[2])
`,
  () => null,
)

/** How long it takes, once the script is known. */
export async function writeMs(connection: RedisConnection, keys: readonly string[], clock: Clock): Promise<number> {
  const rest = [String(keys.length), ...keys]
  await connection.ask(['EVAL', lookScript.lua, ...rest])
  const askedAtMs = clock.now()
  await connection.ask(['EVALSHA', lookScript.digest, ...rest])
  return clock.now() - askedAtMs
}

const redisMajorMin = 7
const valkeyMajorMin = 8

/** Rejects with RedisRefused where the server is too old. */
export async function seenServer(connection: RedisConnection): Promise<SeenServer> {
  let text: string
  try {
    text = String(await connection.ask(['INFO']))
  } catch (error) {
    // A user that may not ask for this may all the same do what is needed.
    if (error instanceof Error && error.message.startsWith('NOPERM')) return { name: null, evictionPolicy: null }
    throw error
  }
  const fields = fieldsOf(text)
  const valkey = fields.get('valkey_version')
  const version = valkey ?? fields.get('redis_version')
  const name = version === undefined ? null : `${valkey === undefined ? 'Redis' : 'Valkey'} ${version}`
  if (name !== null && Number.parseInt(version ?? '', 10) < (valkey === undefined ? redisMajorMin : valkeyMajorMin)) {
    throw new RedisRefused(`This is ${name}; Redis 7 or later, or Valkey 8 or later, is needed.`)
  }
  return { name, evictionPolicy: fields.get('maxmemory_policy') ?? null }
}

function fieldsOf(info: string): ReadonlyMap<string, string> {
  const lines = info.split('\r\n').flatMap((line): [string, string][] => {
    const [name, value] = line.split(':', 2)
    return name === undefined || value === undefined ? [] : [[name, value]]
  })
  return new Map(lines)
}
