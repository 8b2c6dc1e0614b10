/** The first gateway of a fleet and its Redis are started at the same time: either may be there first. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { launch, type RunningProcess } from '../kit/child-process.ts'
import { hasRedis, startRedis } from '../kit/redis.ts'
import { scratchFolder } from '../kit/stored-rows.ts'

function started(redisUrl: string): RunningProcess {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const file = join(folder.path, 'gateway.yaml')
  const config = {
    hosts: [{ url: 'http://127.0.0.9:1' }],
    server: { port: 0 },
    admin: { port: 0 },
    storage: { path: folder.storePath, redis: { url: redisUrl } },
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config))
  const gateway = launch(['--config', file], { cwd: folder.path })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return gateway
}

test.skipIf(!hasRedis)('Redis comes later: the gateway says what it waits for, and starts then', async () => {
  const redis = await startRedis()
  onTestFinished(() => redis.close())
  await redis.kill()
  const gateway = started(redis.url)
  await gateway.logged(/waits for Redis/)
  await redis.startAgain()
  expect(await gateway.said(/(http:\S+)\/v1\n/)).toContain('127.0.0.1')
})

test('Redis does not come: the gateway ends, and says what to do', async () => {
  const gateway = started('redis://127.0.0.9:1')
  await gateway.logged(/waits for Redis/)
  expect(await gateway.ended).toEqual({ code: 1, signal: null })
  expect(gateway.err).toContain('start Redis first (storage.redis.url)')
})
