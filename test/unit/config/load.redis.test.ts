/** The Redis that several gateways share: where it is, and its password, which no sentence ever shows. */
import { expect, test } from 'vitest'
import { load, problems } from './loading.ts'

const redis = (fields: string) => `storage: { redis: { ${fields} } }\n`

test.each([
  [
    'url: "http://127.0.0.1:6379"',
    'storage.redis.url: must be like redis://host:6379 or, over TLS, rediss://host:6380',
  ],
  [
    'url: "redis://127.0.0.1:99999"',
    'storage.redis.url: is no URL; of a password in it, all but letters and digits must be written as %40, or set it in password',
  ],
  [
    'url: "redis://:hunter2%zz@redis"',
    'storage.redis.url: is no URL; of a password in it, all but letters and digits must be written as %40, or set it in password',
  ],
  [
    'url: "redis://redis:6379?password=hunter2"',
    'storage.redis.url: must end after the host, or the number of a database; of a password in it, write # as %23 and ? as %3F',
  ],
  [
    'url: "redis://redis:6379/hunter2"',
    'storage.redis.url: may have the number of a database as its path, and nothing else',
  ],
  [
    'url: "redis://redis", password: hunter2, passwordFile: /run/p',
    'storage.redis.passwordFile: there is a password already; give one of password and passwordFile',
  ],
  [
    'url: "redis://:hunter2@redis", password: hunter2',
    'storage.redis.password: there is a password in storage.redis.url already; take it out there',
  ],
  [
    'url: "redis://redis", caFile: /etc/ca.pem',
    'storage.redis.caFile: has no effect without TLS; write rediss:// in storage.redis.url',
  ],
  ['url: "redis://redis", goneAfterMs: 100', 'storage.redis.goneAfterMs: must be at least 1000, not 100'],
])('%s', async (fields, problem) => {
  const found = await problems({ yaml: redis(fields) })
  expect(found.map((sentence) => sentence.replace(/^F:1:\d+ /, ''))).toEqual([problem])
  expect(found.join()).not.toMatch(/hunter2/)
})

test.each([
  'url: "redis://redis"',
  'url: "redis://[::1]:6379/3"',
  'url: "rediss://user:p%40ss@redis.example:6380", caFile: /etc/ca.pem',
  'url: "redis://user@redis", passwordFile: /run/p',
])('%s is good', async (fields) => {
  expect(await problems({ yaml: redis(fields) })).toEqual([])
})

test('the password comes from the environment', async () => {
  const loaded = await load({
    yaml: redis('url: "redis://redis", password: "${REDIS_PASSWORD}"'),
    environment: { REDIS_PASSWORD: 'hunter2' },
  })
  expect(loaded).toMatchObject({ kind: 'good', config: { storage: { redis: { password: 'hunter2' } } } })
})
