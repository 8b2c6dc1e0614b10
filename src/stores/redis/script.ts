/** What Redis does at once, by its own clock: Lua that is sent once and then called by its digest. */
import { createHash } from 'node:crypto'

/** The message of an error: the fleet's epoch is new, and not everybody has said yet what it holds. */
export const unsettled = 'UNSETTLED'

/**
 * In front of every script. The first key is the fleet's epoch, `<name> <settled at ms>`: it is gone when Redis was emptied, and
 * for a while after that nothing is granted by what Redis has, until all replicas have told it what they hold.
 */
const prelude = `
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function is_settled(now)
  local epoch = redis.call('GET', KEYS[1])
  return epoch and now >= tonumber(string.match(epoch, ' (%d+)$'))
end
local not_settled = redis.error_reply('${unsettled} the fleet has begun anew')
`

export class Script<Answer> {
  readonly name: string
  readonly lua: string
  readonly digest: string
  readonly #readReply: (reply: unknown) => Answer

  /** `read`: what the reply of the script means; throws where it is none of its own. */
  constructor(name: string, lua: string, read: (reply: unknown) => Answer) {
    this.name = name
    this.lua = prelude + lua
    this.digest = createHash('sha1').update(this.lua).digest('hex')
    this.#readReply = read
  }

  /** As it is sent. */
  call(keys: readonly string[], args: readonly (string | number)[]): string[] {
    const sent = ['EVALSHA', this.digest, String(keys.length), ...keys]
    for (const argument of args) sent.push(String(argument))
    return sent
  }

  read(reply: unknown): Answer {
    return this.#readReply(reply)
  }
}
