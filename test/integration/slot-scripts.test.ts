/** The scripts that give out slots decide as the rules say that are written down plainly, whatever happens in which order. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { SlotWish } from '../../src/queue/shared-slots.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { beginLoadScript, endLoadScript } from '../../src/stores/redis/load-scripts.ts'
import { Script } from '../../src/stores/redis/script.ts'
import { takeScript, tellScript } from '../../src/stores/redis/slot-scripts.ts'
import { PlainSlots, type SlotMessage } from '../kit/plain-slots.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { eventually } from '../kit/within.ts'
import { startedLink } from './redis-link-scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const ids = ['one', 'two', 'three']
const goneAfterMs = 3_000
/** As it is first. */
const limit = 3
const lastWord = 'that was all'

/** Time is what the test says it is. */
function timed<Answer>(name: string, { lua }: Script<unknown>, read: (reply: unknown) => Answer): Script<Answer> {
  const clock = `local function now_ms() return tonumber(redis.call('GET', KEYS[1] .. ':clock')) end`
  return new Script(name, lua.replace('local now = now_ms()', `${clock}\nlocal now = now_ms()`), read)
}

const take = timed('take', takeScript, (reply) => {
  const [granted, elsewhere] = reply as [number, number]
  return { granted: granted === 1, elsewhere }
})
const tell = timed('tell', tellScript, () => {})

const gateway = fc.nat(ids.length - 1)
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      gateway,
      band: fc.nat(2),
      counter: fc.nat(5),
      next: fc.option(fc.record({ band: fc.constantFrom<0 | 1 | 2>(0, 1, 2), counter: fc.nat(5) })),
      waiting: fc.nat(3),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('give back' as const), gateway }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('hear' as const), gateway, count: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('tell' as const), gateway, claims: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('overtaken' as const), gateway, takes: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('limit' as const), gateway, limit: fc.integer({ min: 1, max: 5 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('beat' as const), gateway }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.constantFrom(1, 60, 110, 600, 2_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('settled' as const), is: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'empty' as const }) },
)
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never

/** What a gateway knows: it may hear its answers late. */
class Sender {
  number = 0
  held = 0
  limit = limit
  readonly unheard: { readonly number: number; readonly granted: boolean }[] = []

  message(id: string): SlotMessage {
    const number = ++this.number
    return { id, number, answered: (this.unheard[0]?.number ?? number) - 1, sure: this.held, limit: this.limit }
  }

  hear(count: number): void {
    for (const { granted } of this.unheard.splice(0, count)) if (granted) this.held++
  }
}

class Both {
  readonly plain: PlainSlots
  readonly #link: RedisLink
  readonly #keys: readonly string[]
  readonly #toldPlain: string[] = []
  nowMs = 100_000
  isSettled = true

  constructor(link: RedisLink, run: number) {
    this.#link = link
    this.#keys = ['epoch', 'alive', 'slots', 'claims', 'models', 'load'].map((name) => link.key(`${run}:${name}`))
    this.plain = new PlainSlots({
      nowMs: () => this.nowMs,
      goneAfterMs,
      free: (id, host, elsewhere) => void this.#toldPlain.push(`${id}: ${elsewhere} ${host}`),
    })
  }

  async time(ms: number): Promise<void> {
    this.nowMs += ms
    await this.#link.command(['SET', `${this.#keys[0]}:clock`, this.nowMs])
  }

  async settled(is: boolean): Promise<void> {
    this.isSettled = is
    this.plain.isSettled = is
    await this.#link.command(['SET', this.#keys[0] ?? '', `fleet ${is ? 0 : 9_000_000}`])
  }

  async beat(id: string): Promise<void> {
    this.plain.beat(id)
    await this.#link.command(['ZADD', this.#keys[1] ?? '', this.nowMs, id])
  }

  async empty(): Promise<void> {
    this.plain.clear()
    await this.#link.command(['DEL', ...this.#keys.slice(1)])
  }

  async take(message: SlotMessage, wish: Omit<SlotWish, 'host' | 'models'>) {
    const plain = this.plain.take('studio', message, wish)
    const { rank, next, waiting } = wish
    const args = [...this.#args(message), rank.band, rank.counter, next?.band ?? '', next?.counter ?? '', waiting]
    const real = await this.#link.run(take, this.#keys, args).catch(() => null)
    expect(real).toEqual(plain)
    return plain
  }

  async tell(message: SlotMessage, claims: boolean): Promise<void> {
    this.plain.tell('studio', message, claims)
    await this.#link.run(tell, this.#keys, [...this.#args(message), claims ? 1 : 0])
  }

  /** Who was told that a slot is free; what is published in turn is heard in turn. */
  async compare(told: readonly string[]): Promise<void> {
    await this.#link.command(['PUBLISH', this.#link.key(`free:${ids[0]}`), lastWord])
    await eventually(20_000, 'all that was published', () => told.at(-1) === `${ids[0]}: ${lastWord}`)
    expect(told.slice(0, -1)).toEqual(this.#toldPlain)
  }

  #args({ id, number, answered, sure, limit: most }: SlotMessage): readonly (string | number)[] {
    return [id, goneAfterMs, number, answered, sure, most, 'studio', this.#link.key('free:')]
  }
}

async function play(steps: readonly Step[], both: Both): Promise<void> {
  const senders = ids.map(() => new Sender())
  await both.time(0)
  await both.settled(true)
  for (const id of ids) await both.beat(id)
  for (const one of steps) {
    const id = 'gateway' in one ? (ids[one.gateway] ?? '') : ''
    const sender = 'gateway' in one ? (senders[one.gateway] ?? new Sender()) : new Sender()
    switch (one.kind) {
      case 'take': {
        const message = sender.message(id)
        const rank = { band: one.band as 0 | 1 | 2, counter: one.counter }
        const answer = await both.take(message, { rank, next: one.next, waiting: one.waiting })
        sender.unheard.push({ number: message.number, granted: answer?.granted === true })
        break
      }
      case 'give back':
        sender.hear(one.gateway)
        sender.held = Math.max(0, sender.held - 1)
        await both.tell(sender.message(id), true)
        break
      case 'limit':
        sender.limit = one.limit
        break
      case 'hear':
        sender.hear(one.count)
        break
      case 'tell':
        await both.tell(sender.message(id), one.claims)
        break
      case 'overtaken': {
        const message = { id, number: Math.max(0, sender.number - 1), answered: 0, sure: 1, limit }
        if (one.takes) await both.take(message, { rank: { band: 1, counter: 0 }, next: null, waiting: 0 })
        else await both.tell(message, true)
        break
      }
      case 'beat':
        await both.beat(id)
        break
      case 'time':
        await both.time(one.ms)
        break
      case 'settled':
        await both.settled(one.is)
        break
      case 'empty':
        await both.empty()
        break
    }
  }
}

describe.skipIf(!hasRedis)('slots in Redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  it('are given out by the rules, in whatever order gateways ask, hear, give back, live and die', {
    timeout: 600_000,
  }, async () => {
    const { link } = await startedLink({ url: redis.url })
    const told: string[] = []
    for (const id of ids) await link.subscribe(link.key(`free:${id}`), (message) => void told.push(`${id}: ${message}`))
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async (steps) => {
        const both = new Both(link, ++run)
        told.length = 0
        await play(steps, both)
        await both.compare(told)
      }),
      { numRuns: isLong ? 5_000 : 250, ...(isLong ? {} : { seed: 7 }) },
    )
  })

  it('are given out whatever else is where they are kept', async () => {
    const { link } = await startedLink({ url: redis.url })
    const keys = ['epoch', 'alive', 'slots', 'claims'].map((name) => link.key(`foreign:${name}`))
    const [epoch = '', alive = '', rows = '', claims = ''] = keys
    await link.command(['SET', epoch, 'fleet 0'])
    for (const id of ['one', 'two']) await link.command(['ZADD', alive, Date.now() + 60_000, id])
    for (const key of [rows, claims]) for (const id of ['one', 'two']) await link.command(['HSET', key, id, 'garbage'])
    const args = ['one', goneAfterMs, 1, 0, 0, limit, 'studio', link.key('free:')]
    expect(await link.run(takeScript, keys, [...args, 1, 0, '', '', 0])).toMatchObject({ granted: true, elsewhere: 0 })
    await link.run(tellScript, keys, ['one', goneAfterMs, 2, 1, 1, limit, 'studio', link.key('free:'), 1])
    expect(await link.command(['HGET', rows, 'one'])).toBe(`2 1 ${limit}`)
  })

  it('are given to requests for models so that one load is made at a time, and none that puts out what another uses', async () => {
    const { link } = await startedLink({ url: redis.url })
    const keys = ['epoch', 'alive', 'slots', 'claims', 'models', 'load'].map((name) => link.key(`models:${name}`))
    const ofLoad = [keys[0] ?? '', keys[1] ?? '', keys[4] ?? '', keys[5] ?? '']
    await link.command(['SET', keys[0] ?? '', 'fleet 0'])
    const now = Date.now()
    for (const id of ['one', 'two']) await link.command(['ZADD', keys[1] ?? '', now + 60_000, id])
    let number = 0
    const common = (id: string) => [id, goneAfterMs, ++number, number - 1, 0, 8, 'studio', link.key('free:')]
    const takes = async (id: string, model: string, load: '' | '0' | '1' = '', evicts = ''): Promise<boolean> => {
      const args = [...common(id), 1, 0, '', '', 0, model, model, load, evicts]
      return (await link.run(takeScript, keys, args)).granted
    }
    const uses = (id: string, ...models: string[]) => link.run(tellScript, keys, [...common(id), 0, models.join('\n')])
    const begins = (id: string, model: string, isAlone: boolean, ...evicts: string[]) =>
      link.run(beginLoadScript, ofLoad, [id, goneAfterMs, model, isAlone ? 1 : 0, evicts.join('\n')])
    expect(await takes('one', 'a')).toBe(true)
    expect(await takes('two', 'b', '1', 'a')).toBe(false)
    expect(await begins('two', 'b', false, 'a')).toBe(false)
    expect(await begins('two', 'b', false, 'c')).toBe(true)
    await link.run(endLoadScript, [keys[0] ?? '', keys[5] ?? ''], ['two'])
    await uses('one')
    expect(await takes('two', 'b', '1', 'a')).toBe(true)
    expect(await takes('one', 'a')).toBe(false)
    expect(await takes('one', 'b')).toBe(false)
    expect(await takes('two', 'b')).toBe(true)
    expect(await begins('one', 'c', false)).toBe(false)
    expect(await begins('two', 'b', true, 'a')).toBe(true)
    await link.run(endLoadScript, [keys[0] ?? '', keys[5] ?? ''], ['one'])
    expect(await takes('one', 'b')).toBe(false)
    await link.command(['ZREM', keys[1] ?? '', 'two'])
    expect(await takes('one', 'c', '1', 'b')).toBe(true)
  })
})
