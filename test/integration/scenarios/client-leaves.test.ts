/** Clients that leave, in every state: who waits goes on, the host learns of it, and what had passed is what is counted. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Exchange, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { within } from '../../kit/within.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'
import { chatBytes, contentFrame, done, finishFrame, type Scene, scenario } from './scene.ts'

const long = process.env['TEST_LONG'] === 'true'
/** What the kind of the stage's hosts takes at once when its configuration does not say. */
const slots = 4
/** Twenty times the 250 ms in which a host must learn of it. */
const noticeMsMax = 5_000

const ways = ['closes', 'resets'] as const
type Way = (typeof ways)[number]

function leave(client: RawClient, way: Way): void {
  if (way === 'closes') client.close()
  else client.resetAndDestroy()
}

/** A stream of this many frames that then ends well, with its usage. */
function wholeStream(frames = 1): string[] {
  const contents = Array.from({ length: frames }, (_, index) => contentFrame(`w${index} `))
  return [...contents, finishFrame, done]
}

/** Resolves once the gateway holds that many requests in line. */
async function inLine(scene: Scene, count: number): Promise<void> {
  let depth = -1
  const look = async () => {
    while (depth !== count) {
      depth = await scene.gateway.sum('queue_depth')
      await turn()
    }
  }
  await within(20_000, `${count} in line`, look())
}

/** Requests that hold every slot until each is given a `step`. */
async function allSlotsTaken(scene: Scene): Promise<{ holders: Exchange[]; answers: Promise<unknown>[] }> {
  const already = scene.host().exchanges.length
  const [first = '', ...rest] = wholeStream()
  const answers: Promise<unknown>[] = []
  for (let index = 0; index < slots; index += 1) {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(first), pause, chunkBytes(rest.join('')), finalChunk)
    answers.push(scene.ask(chatBytes({ stream: true })))
  }
  const holders: Exchange[] = []
  for (let index = 0; index < slots; index += 1) holders.push(await scene.host().exchange(already + index))
  return { holders, answers }
}

/** No slot was given back twice: as many requests as there are slots reach the host, and the one behind them waits. */
async function expectSlotsAsBefore(scene: Scene): Promise<number> {
  const { holders, answers } = await allSlotsTaken(scene)
  const behind = scene.ask(chatBytes({ stream: true }))
  await inLine(scene, 1)
  for (const holder of holders) await holder.step()
  await within(10_000, 'the answers of those who held the slots', Promise.all([...answers, behind]))
  return slots + 1
}

test('C01: half of a long line leaves: the host sees nothing of them, and the others are served', () =>
  scenario({}, async (scene) => {
    const count = long ? 1_000 : 200
    const { holders, answers } = await allSlotsTaken(scene)
    const stream = wholeStream()
    scene.host().playAlways(wholeRequest, sseHeadBytes(), chunkBytes(stream.join('')), finalChunk)
    const clients: RawClient[] = []
    for (let index = 0; index < count; index += 1) {
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true, user: `number ${index}`, n: 1 }))
      clients.push(client)
    }
    await inLine(scene, count)
    for (const [index, client] of clients.entries()) if (index % 2 === 1) leave(client, ways[(index >> 1) % 2]!)
    // Out of the line before any of those in front of them is answered.
    await inLine(scene, count / 2)
    expect(scene.host().exchanges).toHaveLength(slots)
    const left = await scene.gateway.outcomesOnce(count / 2)
    for (const { fields } of left)
      expect(fields).toMatchObject({ status: 499, end: 'CQ', attempts: 0, host: null, error: null })
    for (const holder of holders) await holder.step()
    await Promise.all(answers)
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 1) continue
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.complete]).toEqual([200, true])
    }
    const asked = scene
      .host()
      .exchanges.slice(slots)
      .map(({ request }) => /number (\d+)/.exec(request!.text)?.[1])
    const stayed = Array.from({ length: count / 2 }, (_, index) => String(index * 2))
    expect(new Set(asked)).toEqual(new Set(stayed))
    expect(await scene.gateway.sum('requests_total', { status: '499', end: 'CQ' })).toBe(count / 2)
    return { requests: slots + count, attempts: { a: slots + count / 2 } }
  }))

describe('before the first token', () => {
  const roleFrame = contentFrame('')

  test.each(ways)('C02: a stream of which the host has sent its role frame only; the client %s', (way) =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), pause)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      // In one process all that was written before is read before this resolves.
      await scene.gateway.metrics()
      leave(client, way)
      await exchange.peerLeft(noticeMsMax)
      const [outcome] = await scene.gateway.outcomesOnce(1)
      expect(outcome!.fields).toMatchObject({ status: 499, end: 'CF', attempts: 1, tokensOut: 0, usage: 'estimated' })
      expect(outcome!.fields['tokensIn']).toBeGreaterThan(0)
      expect(client.received).toHaveLength(0)
      await exchange.step()
      return { requests: 1 + (await expectSlotsAsBefore(scene)), attempts: { a: 1 + slots + 1 } }
    }),
  )

  test.each(ways)('C04: an answer that is not streamed, before and after its head; the client %s', (way) =>
    scenario({}, async (scene) => {
      const half = responseBytes(200, { 'content-type': 'application/json', 'content-length': '100' }, '{')
      scene.host().play(wholeRequest, pause)
      scene.host().play(wholeRequest, half, pause)
      for (const [index, end] of ['CH', 'CF'].entries()) {
        const client = await scene.connect()
        await client.send(chatBytes())
        const exchange = await scene.host().exchange(index)
        await exchange.paused()
        // In one process all that was written before is read before this resolves.
        await scene.gateway.metrics()
        leave(client, way)
        await exchange.peerLeft(noticeMsMax)
        const outcome = (await scene.gateway.outcomesOnce(index + 1))[index]
        expect(outcome!.fields).toMatchObject({ status: 499, end, attempts: 1, tokensOut: 0, stream: false })
        expect(outcome!.fields['tokensIn']).toBeGreaterThan(0)
        expect(client.received).toHaveLength(0)
        await exchange.step()
      }
      return { requests: 2 + (await expectSlotsAsBefore(scene)), attempts: { a: 2 + slots + 1 } }
    }),
  )
})

test.each(ways)('C03: in the middle of a stream: what passed is what is counted; the client %s', (way) =>
  scenario({}, async (scene) => {
    const seed = 3
    const random = new SeededRandom(seed)
    const rounds = 12
    let tokens = 0
    for (let round = 0; round < rounds; round += 1) {
      const count = random.between(1, 40)
      tokens += count
      const sent = wholeStream(count).slice(0, count)
      scene.host().play(wholeRequest, sseHeadBytes(), ...sent.map((frame) => chunkBytes(frame)), pause)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const answer = await scene.answer(client)
      await answer.has(sent.at(-1)!)
      leave(client, way)
      const exchange = await scene.host().exchange(round)
      await exchange.peerLeft(noticeMsMax)
      const outcome = (await scene.gateway.outcomesOnce(round + 1))[round]
      const expected = { status: 499, end: 'CD', tokensOut: count, usage: 'counted' }
      expect(outcome!.fields, `round ${round} of seed ${seed}, ${count} frames`).toMatchObject(expected)
      expect(outcome!.fields['tokensIn']).toBeGreaterThan(0)
      await exchange.step()
    }
    expect(await scene.gateway.sum('tokens_total', { type: 'output' })).toBe(tokens)
    return { requests: rounds + (await expectSlotsAsBefore(scene)), attempts: { a: rounds + slots + 1 } }
  }),
)

/** Where, in turns of the event loop, the client leaves: before the host says its last words, or after. */
type Moment = 'long before' | 'long after' | number

test('C05: around the last byte: one row each, and no slot is given back twice', () =>
  scenario({}, async (scene) => {
    const seed = 5
    const random = new SeededRandom(seed)
    const runs = long ? 5_000 : 300
    const ends = new Set<string>()
    for (let run = 0; run < runs; run += 1) {
      const moment: Moment = run === 0 ? 'long before' : run === 1 ? 'long after' : random.between(-12, 12)
      await leavesAround(scene, run, { moment, way: random.of(ways) })
      const outcome = (await scene.gateway.outcomesOnce(run + 1))[run]
      const { end, status, tokensOut, usage } = outcome!.fields
      const ended = `${String(status)} ${String(end)} ${String(tokensOut)} ${String(usage)}`
      const label = `run ${run} of seed ${seed}, ${moment}`
      if (typeof moment === 'string') expect(ended, label).toBe(moment === 'long before' ? left : whole)
      else expect([left, leftAtTheEnd, whole], label).toContain(ended)
      ends.add(ended)
    }
    const outcomes = await scene.gateway.outcomesOnce(runs)
    expect(new Set(outcomes.map(({ fields }) => fields['requestId'])).size).toBe(runs)
    expect(ends).toContain(left)
    expect(ends).toContain(whole)
    return { requests: runs + (await expectSlotsAsBefore(scene)), attempts: { a: runs + slots + 1 } }
  }))

/** Status, end, tokens and where their number comes from. */
const left = '499 CD 1 counted'
/** The answer was whole, and its last bytes not yet out. */
const leftAtTheEnd = '499 CL 1 reported'
const whole = '200 -- 1 reported'

const usageFrame = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\n'

/** One stream of one token, and a client that leaves around its end. */
async function leavesAround(scene: Scene, index: number, how: { moment: Moment; way: Way }): Promise<void> {
  const first = contentFrame('w0 ')
  const last = chunkBytes(finishFrame + usageFrame + done)
  scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(first), pause, last, finalChunk)
  const client = await scene.connect()
  await client.send(chatBytes({ stream: true }))
  const answer = await client.response()
  await answer.has(first)
  const exchange = await scene.host().exchange(index)
  const { moment, way } = how
  const before = moment === 'long before' || (typeof moment === 'number' && moment < 0)
  if (before) {
    leave(client, way)
    await (moment === 'long before' ? exchange.peerLeft() : turns(-moment))
    await exchange.step()
  } else {
    await exchange.step()
    await (moment === 'long after' ? answer.over() : turns(moment))
    leave(client, way)
  }
}

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await turn()
}
