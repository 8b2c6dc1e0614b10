/** The Redis that several gateways share fails in every way: requests are served all the same, it is told, and it is used again. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../../kit/http-bytes.ts'
import { hasRedis, type RedisServer, startRedis } from '../../kit/redis.ts'
import { becomesTrue, within } from '../../kit/within.ts'
import { chatBytes, contentFrame, done, finishFrame, type Scene, type SceneOptions, scenario } from './scene.ts'

const frames = contentFrame('once') + contentFrame(' upon') + finishFrame + done
const requests = 20
const password = 'correct-horse-battery'

type Act = (redis: RedisServer) => Promise<unknown> | void
interface Fault {
  readonly what: string
  readonly plant: Act
  readonly heal: Act
  readonly problem: RegExp
}

const command =
  (...words: readonly string[]): Act =>
  (redis) =>
    redis.command(...words)

const faults: readonly Fault[] = [
  {
    what: 'dies',
    plant: (redis) => redis.kill(),
    heal: (redis) => redis.startAgain(),
    problem: /has closed the connection|nothing listens there/,
  },
  {
    what: 'is frozen',
    plant: (redis) => redis.freeze(),
    heal: (redis) => redis.thaw(),
    problem: /did not answer within 50 ms/,
  },
  {
    what: 'answers no script for a while',
    plant: command('CLIENT', 'PAUSE', '600000', 'WRITE'),
    heal: command('CLIENT', 'UNPAUSE'),
    problem: /did not answer within 50 ms/,
  },
  {
    what: 'is full',
    plant: command('CONFIG', 'SET', 'maxmemory', '1'),
    heal: command('CONFIG', 'SET', 'maxmemory', '0'),
    problem: /OOM/,
  },
  {
    what: 'becomes a read-only replica',
    plant: command('REPLICAOF', '127.0.0.1', '1'),
    heal: command('REPLICAOF', 'NO', 'ONE'),
    problem: /READONLY/,
  },
  {
    what: 'changes its password',
    plant: async (redis) => {
      await redis.command('ACL', 'SETUSER', 'gateway', 'resetpass', '>another')
      await redis.command('CLIENT', 'KILL', 'USER', 'gateway')
    },
    heal: command('ACL', 'SETUSER', 'gateway', 'resetpass', `>${password}`),
    problem: /WRONGPASS/,
  },
]

describe.skipIf(!hasRedis)('a Redis that fails', () => {
  test.each(faults)('G22: it $what while requests come', async ({ plant, heal, problem }) => {
    const redis = await redisWithUser()
    await scenario(before(redis), async (scene) => {
      await expectServed(scene, 1)
      await becomes(scene, 'redis_up', 1)
      await plant(redis)
      // All are answered while it lasts: nothing heals it before.
      await expectServed(scene, requests)
      await told(scene, problem)
      await becomes(scene, 'redis_up', 0)
      await expectServed(scene, requests)
      await becomes(scene, 'sharing_degraded', 1)
      await heal(redis)
      await becomes(scene, 'redis_up', 1)
      await becomes(scene, 'sharing_degraded', 0)
      await expectServed(scene, 1)
      return ending(scene, 2 + 2 * requests)
    })
  })

  const absences: readonly (Omit<Fault, 'plant'> & { readonly plant: Act })[] = [
    {
      what: 'is not there',
      plant: (redis) => redis.kill(),
      heal: (redis) => redis.startAgain(),
      problem: /nothing listens there/,
    },
    {
      what: 'is frozen',
      plant: (redis) => redis.freeze(),
      heal: (redis) => redis.thaw(),
      problem: /did not let this gateway in/,
    },
    {
      what: 'has another password',
      plant: command('ACL', 'SETUSER', 'gateway', 'resetpass', '>another'),
      heal: command('ACL', 'SETUSER', 'gateway', 'resetpass', `>${password}`),
      problem: /WRONGPASS/,
    },
  ]

  test.each(absences)('G22: it $what when a gateway starts', async ({ plant, heal, problem }) => {
    const redis = await redisWithUser()
    const path = join(temporaryFolder(), 'gateway.db')
    // It has seen the keys of its fleet before.
    await scenario(before(redis, path, patient), async (scene) => {
      await becomes(scene, 'redis_up', 1)
      return ending(scene, 0)
    })
    await plant(redis)
    await scenario(before(redis, path), async (scene) => {
      await expectServed(scene, requests)
      await told(scene, problem)
      expect(await scene.gateway.sum('redis_up')).toBe(0)
      expect(await scene.gateway.sum('sharing_degraded')).toBe(1)
      await heal(redis)
      await becomes(scene, 'redis_up', 1)
      await becomes(scene, 'sharing_degraded', 0)
      await expectServed(scene, 1)
      return ending(scene, requests + 1)
    })
  })
})

/** What it keeps when it starts again: its users too. */
async function redisWithUser(): Promise<RedisServer> {
  const redis = await startRedis(['--user', 'gateway', 'on', `>${password}`, '~*', '&*', '+@all'])
  onTestFinished(() => redis.close())
  return redis
}

/** A busy machine may take its time. */
const patient = { connectMsMax: 10_000 }

function before({ url }: RedisServer, path?: string, more: Partial<typeof patient> = {}): SceneOptions {
  return {
    slots: 2,
    config: {
      limits: { default: { requestsPerMinute: 10_000, tokensPerMinute: 10_000_000, concurrentRequests: 100 } },
      storage: { path: path ?? ':memory:', redis: { url, username: 'gateway', password, ...more } },
    },
  }
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'redis-faults-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

async function expectServed(scene: Scene, count: number): Promise<void> {
  scene.host().playAlways(wholeRequest, sseHeadBytes(), chunkBytes(frames), finalChunk)
  const all = async () => {
    for (let index = 0; index < count; index++) {
      const answer = await scene.ask(chatBytes({ stream: true }))
      expect(answer).toMatchObject({ status: 200, complete: true, text: frames })
    }
  }
  await within(25_000, `${count} answers`, all())
}

function problemsTold({ gateway }: Scene): string[] {
  return gateway.log.flatMap(({ level, fields: { problem } }) =>
    level === 'error' && typeof problem === 'string' ? [problem] : [],
  )
}

async function told(scene: Scene, problem: RegExp): Promise<void> {
  await becomesTrue(20_000, `a line of the log like ${problem}`, async () =>
    problemsTold(scene).some((text) => problem.test(text)),
  )
}

async function becomes({ gateway }: Scene, gauge: 'redis_up' | 'sharing_degraded', value: number): Promise<void> {
  await becomesTrue(20_000, `${gauge} ${value}`, async () => (await gateway.sum(gauge)) === value)
}

/** Each problem is told once in an outage, however many requests met it. */
function ending(scene: Scene, served: number) {
  const problems = problemsTold(scene)
  const outages = outagesTold(scene)
  for (const outage of outages) expect(new Set(outage).size).toBe(outage.length)
  return { requests: served, attempts: served === 0 ? {} : { a: served }, secrets: [password], faults: problems.length }
}

function outagesTold({ gateway }: Scene): string[][] {
  const outages: string[][] = [[]]
  for (const { message, fields } of gateway.log) {
    if (message === 'Redis is there') outages.push([])
    else if (message.startsWith('Redis is ') && typeof fields['problem'] === 'string')
      outages.at(-1)?.push(fields['problem'])
  }
  return outages
}
