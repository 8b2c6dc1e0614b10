/** The secret by which all gateways of a fleet make digests of prompts: made once, by whoever comes first. */
import type { RedisLink } from './link.ts'
import { Script } from './script.ts'

/** KEYS epoch, secret. ARGV the one that is kept where there is none. */
const keepSecret = new Script(
  'print_secret',
  `
redis.call('SET', KEYS[2], ARGV[1], 'NX')
return redis.call('GET', KEYS[2])
`,
  String,
)

export async function fleetSecret(link: RedisLink, own: string): Promise<string> {
  return link.run(keepSecret, [link.key('epoch'), link.key('print-secret')], [own])
}
