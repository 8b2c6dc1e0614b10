import { describe, expect, it } from 'vitest'
import type { SlotAnswer, SlotWish } from '../../../../src/queue/shared-slots.ts'
import { RedisSlotStore } from '../../../../src/stores/redis/slot-store.ts'
import { FakeClock } from '../../../kit/fake-clock.ts'

const rank = { band: 1, counter: 0 } as const

interface Sent {
  readonly script: string
  readonly args: readonly (string | number)[]
  readonly answerMsMax: number | undefined
  answer(answer: SlotAnswer): void
  late(answer: SlotAnswer): void
  fail(): void
}

async function scene({ ids = ['b', 'me'], isUp = true } = {}) {
  const clock = new FakeClock()
  const sent: Sent[] = []
  const onUp: (() => void)[] = []
  const onEpoch: (() => void)[] = []
  const link = {
    isUp,
    key: (name: string) => name,
    run: (script: { readonly name: string }, _keys: unknown, args: readonly (string | number)[], options = {}) =>
      new Promise((resolve, reject) => {
        const { late = () => {}, answerMsMax } = options as {
          readonly late?: (answer: SlotAnswer) => void
          readonly answerMsMax?: number
        }
        sent.push({
          script: script.name,
          args,
          answerMsMax,
          answer: resolve,
          late,
          fail: () => reject(new Error('gone')),
        })
      }),
    subscribe: async (_channel: string, heard: (message: string) => void) => {
      told = heard
    },
    onUp: (listener: () => void) => void onUp.push(listener),
  }
  let told: (message: string) => void = () => {}
  const replicas = {
    id: 'me',
    ids,
    count: ids.length,
    isShared: true,
    onEpoch: (listener: () => void) => void onEpoch.push(listener),
  }
  const store = new RedisSlotStore({ clock, link: link as never, replicas, goneAfterMs: 3_000, answerMsMax: 50 })
  const held = new Map<string, number>()
  const freed: string[] = []
  const lateOnes: string[] = []
  store.begin({
    at: (host) => ({ held: held.get(host) ?? 0, limit: 4 }),
    freed: (host, elsewhere) => void freed.push(`${host} ${elsewhere}`),
    late: (host, { granted, elsewhere }) => void lateOnes.push(`${host} ${granted} ${elsewhere}`),
  })
  await store.start()
  const answers: (SlotAnswer | null)[] = []
  const take = (more: Partial<SlotWish> = {}) =>
    store.take({ host: 'studio', rank, next: null, waiting: 0, ...more }, (answer) => {
      answers.push(answer)
    })
  const seen = { sent, freed, lateOnes, answers }
  return { clock, store, link, replicas, held, take, onUp, onEpoch, told: (m: string) => told(m), ...seen }
}

describe('slots in Redis', () => {
  it('are asked for with what is held for certain, and which grants are known', async () => {
    const { store, sent, held, take, answers, clock } = await scene()
    take()
    take()
    expect(sent.map(({ args }) => args.slice(2, 6))).toEqual([
      [1, 0, 0, 4],
      [2, 0, 0, 4],
    ])
    sent[0]?.answer({ granted: true, elsewhere: 1 })
    await clock.advance(0)
    held.set('studio', 1)
    store.tell('studio', true)
    expect(sent.at(-1)?.args.slice(2, 6)).toEqual([3, 1, 1, 4])
    sent[1]?.fail()
    await clock.advance(0)
    store.tell('studio', false)
    expect(sent.at(-1)?.args.slice(2, 6)).toEqual([4, 3, 1, 4])
    expect([sent[2]?.args.at(-1), sent.at(-1)?.args.at(-1)]).toEqual([1, 0])
    expect(answers).toEqual([{ granted: true, elsewhere: 1 }, null])
  })

  it('that were granted too late are told not to be held, and whoever waits hears what was answered', async () => {
    const { sent, take, lateOnes } = await scene()
    take()
    sent[0]?.fail()
    sent[0]?.late({ granted: true, elsewhere: 0 })
    expect(sent.map(({ script }) => script)).toEqual(['slot_take', 'slot_tell'])
    sent[0]?.late({ granted: false, elsewhere: 4 })
    expect(sent).toHaveLength(2)
    expect(lateOnes).toEqual(['studio true 0', 'studio false 4'])
  })

  it('are asked for within what the request has left, and not at all where that is nothing', async () => {
    const { sent, take, answers, store } = await scene()
    take()
    take({ spentMs: 20 })
    sent[0]?.answer({ granted: true, elsewhere: 0 })
    await Promise.resolve()
    take({ spentMs: 49.5 })
    take({ spentMs: 60 })
    // Nobody waits for what is only told.
    store.tell('studio', false)
    expect(sent.map(({ answerMsMax }) => answerMsMax)).toEqual([50, 30, 1_000])
    expect(answers).toEqual([{ granted: true, elsewhere: 0 }, null, null])
  })

  it('are told again where what was sent last is lost, though what was sent before that is answered', async () => {
    const { store, sent, held, clock } = await scene()
    held.set('studio', 1)
    store.tell('studio', false)
    held.set('studio', 0)
    store.tell('studio', false)
    sent[0]?.answer({ granted: true, elsewhere: 0 })
    sent[1]?.fail()
    await clock.advance(1_000)
    expect(sent.map(({ args }) => args[4])).toEqual([1, 0, 0])
    sent[2]?.answer({ granted: true, elsewhere: 0 })
    await clock.advance(3_000)
    expect(sent).toHaveLength(3)
  })

  it('are told anew each second, and once more after the last one was given back', async () => {
    const { store, sent, held, clock, onEpoch } = await scene()
    held.set('studio', 2)
    store.tell('studio', false)
    await clock.advance(1_000)
    expect(sent.map(({ args }) => args[4])).toEqual([2, 2])
    for (const listener of onEpoch) listener()
    held.set('studio', 0)
    await clock.advance(1_000)
    for (const one of sent) one.answer({ granted: true, elsewhere: 0 })
    await clock.advance(2_000)
    expect(sent.map(({ args }) => args[4])).toEqual([2, 2, 2, 0])
    store.stop()
    expect(clock.pendingTimers).toBe(0)
  })

  it('are told again until it is known that Redis has heard of the last one', async () => {
    const { store, sent, held, take, clock } = await scene()
    take()
    sent[0]?.fail()
    await clock.advance(1_000)
    expect(sent.map(({ script }) => script)).toEqual(['slot_take', 'slot_tell'])
    sent[1]?.answer({ granted: true, elsewhere: 0 })
    await clock.advance(2_000)
    expect(sent).toHaveLength(2)
    held.set('studio', 1)
    store.tell('studio', false)
    held.set('studio', 0)
    store.tell('studio', false)
    for (const one of sent.splice(0)) one.fail()
    await clock.advance(1_000)
    expect(sent.map(({ args }) => args[4])).toEqual([0])
    sent[0]?.fail()
    await clock.advance(1_000)
    sent[1]?.answer({ granted: true, elsewhere: 0 })
    await clock.advance(2_000)
    expect(sent).toHaveLength(2)
  })

  it('may be free for this gateway, as it is told', async () => {
    const { freed, told } = await scene()
    told('3 a host of many words')
    told('nonsense')
    expect(freed).toEqual(['a host of many words 3'])
  })
})

describe('while nobody can tell what others hold', () => {
  it('shares of all gateways are a host at the most, where it has enough', () => {
    const shares = async (limit: number, ids: readonly string[]) => {
      const stores = ids.map(async (id) => {
        const { store, replicas } = await scene({ ids: [...ids] })
        replicas.id = id
        return store.shareOf(limit)
      })
      return Promise.all(stores)
    }
    return Promise.all([
      expect(shares(8, ['a', 'b', 'c'])).resolves.toEqual([3, 3, 2]),
      expect(shares(4, ['a', 'b'])).resolves.toEqual([2, 2]),
      expect(shares(1, ['a', 'b', 'c'])).resolves.toEqual([1, 1, 1]),
    ])
  })

  it('of gateways that were seen only before the start nobody knows the order, and nobody takes what is left over', async () => {
    const { store, replicas } = await scene({ ids: ['me'] })
    replicas.count = 3
    expect([store.shareOf(8), store.shareOf(4), store.shareOf(1)]).toEqual([2, 1, 1])
  })

  it('after a start without Redis the others have a second to come back before it is asked', async () => {
    const { onUp, link, take, answers, sent, clock } = await scene({ isUp: false })
    link.isUp = true
    for (const listener of onUp) listener()
    take()
    expect([answers, sent.length]).toEqual([[{ granted: false, elsewhere: 0 }], 0])
    await clock.advance(1_000)
    take()
    expect(sent.length).toBe(1)
  })

  it('it says once Redis has heard of each host since it was emptied', async () => {
    const { store, held, sent, onEpoch, clock } = await scene()
    held.set('studio', 2)
    store.tell('studio', false)
    expect(store.hasTold).toBe(true)
    for (const listener of onEpoch) listener()
    const [before, anew] = sent
    // It may have been done before Redis was emptied.
    before?.answer({ granted: true, elsewhere: 0 })
    await clock.advance(0)
    expect(store.hasTold).toBe(false)
    anew?.fail()
    await clock.advance(1_000)
    expect(store.hasTold).toBe(false)
    sent.at(-1)?.answer({ granted: true, elsewhere: 0 })
    await clock.advance(0)
    expect(store.hasTold).toBe(true)
  })

  it('nobody is asked, but right after the start, when nobody knows how many they are, nothing is given', async () => {
    const { replicas, link, take, answers, sent, clock } = await scene()
    replicas.isShared = false
    take()
    link.isUp = false
    take()
    link.isUp = true
    await clock.advance(3_000)
    take()
    expect(answers).toEqual([{ granted: false, elsewhere: 0 }, null, null])
    expect(sent).toEqual([])
  })

  it('nothing is given right after the start either where the first answer does not come', async () => {
    const { take, answers, sent, clock } = await scene()
    take()
    sent[0]?.fail()
    await clock.advance(0)
    take()
    sent[1]?.answer({ granted: false, elsewhere: 4 })
    await clock.advance(0)
    take()
    sent[2]?.fail()
    await clock.advance(0)
    expect(answers).toEqual([{ granted: false, elsewhere: 0 }, { granted: false, elsewhere: 4 }, null])
  })

  it('what was told counts for as long as one that is gone would, while only answers are missing', async () => {
    const { store, replicas, onUp, clock } = await scene()
    for (const listener of onUp) listener()
    expect(store.knownForMs).toBe(3_000)
    replicas.isShared = false
    expect(store.knownForMs).toBe(0)
    replicas.isShared = true
    for (const listener of onUp) listener()
    expect(store.knownForMs).toBe(0)
    await clock.advance(1_000)
    expect(store.knownForMs).toBe(3_000)
  })

  it('others have a while to come back before anything is shared again', async () => {
    const { onUp, take, answers, sent, clock } = await scene()
    for (const listener of onUp) listener()
    take()
    sent[0]?.answer({ granted: false, elsewhere: 4 })
    await clock.advance(0)
    answers.length = 0
    for (const listener of onUp) listener()
    const before = sent.length
    take()
    expect(answers).toEqual([null])
    await clock.advance(1_000)
    take()
    expect(sent.slice(before).filter(({ script }) => script === 'slot_take')).toHaveLength(1)
  })
})
