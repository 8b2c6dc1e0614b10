/** Who lives in a fleet, and what they tell each other with each beat. */
import type { AliveReplica, Beat, BeatStore, OwnBeat } from '../../replicas/beat-store.ts'
import type { RedisLink } from './link.ts'
import { Script } from './script.ts'

/** How long after Redis was empty nothing is granted by it at the least: several beats, in which each replica tells what it holds. */
const settleMs = 1_000
/** Whoever has more to tell than goes into that says so with each beat, and all wait for it: until so long after the next one, and in all. */
const settleMoreMs = 500
const settleMsMax = 5_000

/**
 * KEYS epoch, alive, replicas. ARGV id, message, own status, gone after ms, settle ms, 1 to leave,
 * the epoch in which all was told, settle more ms, settle ms at the most. The name of an epoch ends with when it began.
 * A clock that was set back makes nobody live longer, nor an epoch settle later, than if it had been right all the time. Of each replica it is kept, in
 * front of its status, when it joined, so that one that was given up meanwhile can tell, even where an answer is lost.
 */
const beatScript = new Script(
  'beat',
  `
local now = now_ms()
local epoch = redis.call('GET', KEYS[1])
local name, settled = string.match(epoch or '', '^(%S+) (%d+)$')
settled = tonumber(settled)
if not settled or settled > now + ARGV[5] then
  settled = settled and now or now + ARGV[5]
  name = name or ARGV[1] .. '.' .. string.format('%.0f', now)
  redis.call('SET', KEYS[1], name .. ' ' .. string.format('%.0f', settled))
end
if settled > now and ARGV[6] ~= '1' and ARGV[7] ~= name then
  local began = tonumber(string.match(name, '%.(%d+)$')) or 0
  local later = math.min(now + ARGV[8], began + ARGV[9])
  if later > settled then
    settled = later
    redis.call('SET', KEYS[1], name .. ' ' .. string.format('%.0f', settled))
  end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf')) do
  redis.call('ZADD', KEYS[2], now, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. (now - ARGV[4]))) do
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
end
local joined = string.match(redis.call('HGET', KEYS[3], ARGV[1]) or '', '^%d+') or string.format('%.0f', now)
if ARGV[6] == '1' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  redis.call('HSET', KEYS[3], ARGV[1], joined .. ' ' .. ARGV[3])
end
redis.call('PUBLISH', KEYS[3], ARGV[2])
local alive = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for at = 2, #alive, 2 do alive[at] = now - alive[at] end
return { name, math.max(0, settled - now), joined, alive }
`,
  (reply): Beat => {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the script above answers so
    const [epoch, settlesInMs, joined, alive] = reply as [string, number, string, (string | number)[]]
    const replicas: AliveReplica[] = []
    for (let at = 0; at < alive.length; at += 2)
      replicas.push({ id: String(alive[at]), beatAgeMs: Number(alive[at + 1]) })
    return { epoch, settlesInMs, joined, alive: replicas }
  },
)

export class RedisBeatStore implements BeatStore {
  readonly #link: RedisLink
  readonly #goneAfterMs: number

  constructor(link: RedisLink, goneAfterMs: number) {
    this.#link = link
    this.#goneAfterMs = goneAfterMs
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  get problem(): string | null {
    return null
  }

  async beat({ id, message, status, leaves, toldAllIn }: OwnBeat): Promise<Beat> {
    const keys = [this.#link.key('epoch'), this.#link.key('alive'), this.#link.key('replicas')]
    const settles = [toldAllIn ?? '', settleMoreMs, settleMsMax]
    const args = [id, message, status, this.#goneAfterMs, settleMs, leaves ? 1 : 0, ...settles]
    return this.#link.run(beatScript, keys, args)
  }

  async statuses(): Promise<ReadonlyMap<string, string>> {
    const reply = await this.#link.command(['HGETALL', this.#link.key('replicas')])
    const statuses = new Map<string, string>()
    for (const [id, kept] of pairsOf(reply)) statuses.set(id, kept.slice(kept.indexOf(' ') + 1))
    return statuses
  }

  async listen(heard: (message: string) => void): Promise<void> {
    await this.#link.subscribe(this.#link.key('replicas'), heard)
  }
}

/** A hash comes as a list of fields and values, or as an object, by the version of the protocol. */
function* pairsOf(reply: unknown): Iterable<[string, string]> {
  if (!Array.isArray(reply)) {
    for (const [id, status] of Object.entries(reply ?? {})) yield [id, String(status)]
    return
  }
  for (let at = 0; at + 1 < reply.length; at += 2) yield [String(reply[at]), String(reply[at + 1])]
}
