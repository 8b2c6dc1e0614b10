/** Who lives in a fleet, and what they tell each other with each beat. */
import type { Beat, BeatStore } from '../../replicas/beat-store.ts'
import type { RedisLink } from './link.ts'
import { Script } from './script.ts'

/** How long after Redis was empty nothing is granted by it: several beats, in which each replica tells what it holds. */
const settleMs = 1_000

/** KEYS epoch, alive, told. ARGV id, message, own status, gone after ms, a name for a new epoch, settle ms, 1 to leave. */
const beatScript = new Script(
  'beat',
  `
local now = now_ms()
local epoch = redis.call('GET', KEYS[1])
if not epoch then
  epoch = ARGV[5] .. ' ' .. (now + ARGV[6])
  redis.call('SET', KEYS[1], epoch)
end
if ARGV[7] == '1' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
else
  redis.call('ZADD', KEYS[2], now, ARGV[1])
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
end
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. (now - ARGV[4]))
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[3], unpack(gone))
end
redis.call('PUBLISH', KEYS[3], ARGV[2])
return { now, string.match(epoch, '^(%S+)'), tonumber(string.match(epoch, ' (%d+)$')), redis.call('ZRANGE', KEYS[2], 0, -1) }
`,
  (reply): Beat => {
    const [nowMs, epoch, settledAtMs, alive] = reply as [number, string, number, string[]]
    return { nowMs, epoch, settlesInMs: Math.max(0, settledAtMs - nowMs), alive }
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

  async beat({ id, message, status, epochIfNone, leaves = false }: Parameters<BeatStore['beat']>[0]): Promise<Beat> {
    const keys = [this.#link.key('epoch'), this.#link.key('alive'), this.#link.key('replicas')]
    const args = [id, message, status, this.#goneAfterMs, epochIfNone, settleMs, leaves ? 1 : 0]
    return await this.#link.run(beatScript, keys, args)
  }

  async statuses(): Promise<ReadonlyMap<string, string>> {
    const reply = await this.#link.command(['HGETALL', this.#link.key('replicas')])
    return new Map(Object.entries(reply as Record<string, string>))
  }

  async listen(heard: (message: string) => void): Promise<void> {
    await this.#link.subscribe(this.#link.key('replicas'), heard)
  }
}
