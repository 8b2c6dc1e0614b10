/** Rules of the Redis that several gateways share: one password, and files that something is done with. */
import type { Finding } from './problem.ts'
import { mapping, text } from './untyped.ts'

export function redisFindings(input: unknown): Finding[] {
  const redis = mapping(mapping(mapping(input)['storage'])['redis'])
  const url = text(redis['url']) ?? ''
  return [
    ...(redis['password'] !== undefined && redis['passwordFile'] !== undefined
      ? [onRedis('passwordFile', 'there is a password already; give one of password and passwordFile')]
      : []),
    ...(hasPassword(url)
      ? ['password', 'passwordFile']
          .filter((field) => redis[field] !== undefined)
          .map((field) => onRedis(field, 'there is a password in storage.redis.url already; take it out there'))
      : []),
    ...(redis['caFile'] !== undefined && url.startsWith('redis:')
      ? [onRedis('caFile', 'has no effect without TLS; write rediss:// in storage.redis.url')]
      : []),
  ]
}

function hasPassword(url: string): boolean {
  return URL.canParse(url) && new URL(url).password !== ''
}

function onRedis(field: string, message: string): Finding {
  return { path: ['storage', 'redis', field], part: 'value', message }
}
