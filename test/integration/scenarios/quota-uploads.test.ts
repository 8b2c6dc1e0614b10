/** A request takes nothing of a key's limits, of the line or of the ledger before its body is whole. */
import { expect, onTestFinished, test } from 'vitest'
import { gaugeReaches } from '../../kit/fleet.ts'
import { eventually, within } from '../../kit/within.ts'
import { keyedBytes, remainingOf, soundAnswer, usedBy, usedOnce } from './access-scene.ts'
import { errorOf, scenario } from './scene.ts'

const limits = { requestsPerMinute: 60, tokensPerMinute: 60_000, concurrentRequests: 1, requestsPerDay: 100 }

test('C10: a body that drips takes nothing of its key: no slot, no place among those at once, no request, no token, no row', () =>
  scenario({ slots: 1, config: { relay: { bodyGraceMs: 1_500, bodyBytesPerSecondMin: 1_024 } } }, async (scene) => {
    const { gateway } = scene
    const key = await gateway.createKey({ name: 'slow', limits })
    const whole = keyedBytes(key, { padding: 'x'.repeat(10_000) })
    const clients = await Promise.all(Array.from({ length: 5 }, () => scene.connect()))
    let at = 400
    await Promise.all(clients.map((client) => client.send(whole.subarray(0, at))))
    const dripping = setInterval(() => {
      for (const client of clients) if (client.endedBy === undefined) client.socket.write(whole.subarray(at, at + 1))
      at += 1
    }, 50)
    onTestFinished(() => clearInterval(dripping))
    await eventually(5_000, 'the bodies to be on their way', () =>
      clients.every((client) => client.socket.bytesWritten > 400),
    )
    for (const limit of ['requestsPerMinute', 'requestsPerDay'])
      expect([limit, await remainingOf(gateway, key, limit)]).toEqual([limit, limit === 'requestsPerDay' ? 100 : 15])
    // The one place at once and the one slot are free for the same key.
    scene.host().play(...soundAnswer)
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    for (const client of clients) {
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, errorOf(answer).code]).toEqual([408, 'request_timeout'])
    }
    clearInterval(dripping)
    expect(await usedOnce(gateway, 1)).toMatchObject({ requests: 1, failed: 0, input: 3, output: 2 })
    expect(await remainingOf(gateway, key, 'requestsPerDay')).toBe(99)
    await gaugeReaches(gateway, 'queue_bytes', 0)
    return { requests: 1 + clients.length, attempts: { a: 1 } }
  }))

test('a body that came while the limits of its key were changed meets those of now, and lifts them for nobody', () =>
  scenario({}, async (scene) => {
    const { gateway } = scene
    const key = await gateway.createKey({ name: 'changed' })
    scene.host().playAlways(...soundAnswer)
    const whole = keyedBytes(key, { padding: 'x'.repeat(1_000) })
    const client = await scene.connect()
    await client.send(whole.subarray(0, -10))
    const isRead = async (): Promise<boolean> => (await gateway.sum('queue_bytes')) > 0
    while (!(await within(5_000, 'the bytes that are held', isRead())));
    await gateway.admin('PATCH', `/admin/keys/${key.id}`, { limits: { requestsPerMinute: 1 } })
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    await client.send(whole.subarray(-10))
    const late = await scene.answer(client)
    await late.over()
    expect([late.status, (await scene.ask(keyedBytes(key))).status]).toEqual([429, 429])
    return { requests: 3, attempts: { a: 1 } }
  }))

test.each(['closes', 'resets'] as const)(
  'C39: a client that %s in the middle of its upload leaves nothing: no attempt, nothing reserved, no row, no bytes held',
  (way) =>
    scenario({ slots: 1 }, async (scene) => {
      const { gateway } = scene
      const key = await gateway.createKey({ name: 'leaver', limits })
      const before = await remainingOf(gateway, key, 'tokensPerMinute')
      const whole = keyedBytes(key, { padding: 'x'.repeat(200_000) })
      const cuts = [whole.length - 1, Math.floor(whole.length / 2), whole.indexOf('\r\n\r\n') + 4]
      for (const [index, cut] of cuts.entries()) {
        const client = await scene.connect()
        await client.send(whole.subarray(0, cut))
        // The head is read, and so much of the body as came.
        if (cut > 1_000) await eventuallyHeld(scene.gateway)
        if (way === 'closes') client.close()
        else client.resetAndDestroy()
        const outcome = (await gateway.outcomesOnce(index + 1))[index]
        expect(outcome?.fields).toMatchObject({
          status: 499,
          end: 'CR',
          attempts: 0,
          tokensIn: 0,
          tokensOut: 0,
          key: 'leaver',
        })
        await gaugeReaches(gateway, 'queue_bytes', 0)
        expect(await remainingOf(gateway, key, 'tokensPerMinute')).toBe(before)
        expect(await remainingOf(gateway, key, 'requestsPerDay')).toBe(100)
      }
      scene.host().play(...soundAnswer)
      expect((await scene.ask(keyedBytes(key))).status).toBe(200)
      // Written together with or behind whatever the others had left.
      await usedOnce(gateway, 1)
      expect(await usedBy(gateway)).toMatchObject({ requests: 1, failed: 0 })
      return { requests: cuts.length + 1, attempts: { a: 1 } }
    }),
)

async function eventuallyHeld(gateway: Parameters<typeof gaugeReaches>[0]): Promise<void> {
  const endsAt = performance.now() + 5_000
  while ((await gateway.sum('queue_bytes')) === 0 && performance.now() < endsAt);
  expect(await gateway.sum('queue_bytes')).toBeGreaterThan(0)
}

test("C10: who holds as many bytes of unfinished bodies as it can is in nobody else's way, and served again when they end", () =>
  scenario({ config: { queue: { bytesMax: 300_000 } } }, async (scene) => {
    const { gateway } = scene
    const greedy = await gateway.createKey({ name: 'greedy' })
    const modest = await gateway.createKey({ name: 'modest' })
    const whole = keyedBytes(greedy, { padding: 'x'.repeat(20_000) })
    const clients = await Promise.all(Array.from({ length: 12 }, () => scene.connect()))
    await Promise.all(clients.map((client) => client.send(whole.subarray(0, whole.length - 1))))
    // A third of all fits four of them.
    await eventually(5_000, 'the others to be refused', () => gateway.outcomes().length === 8)
    for (const { fields } of gateway.outcomes())
      expect(fields).toMatchObject({ key: 'greedy', status: 429, error: 'concurrency_limit_exceeded', attempts: 0 })
    expect(await gateway.sum('queue_bytes')).toBeGreaterThan(80_000)
    for (let n = 0; n < 3; n += 1) {
      scene.host().play(...soundAnswer)
      expect((await scene.ask(keyedBytes(modest, { padding: 'y'.repeat(20_000) }))).status).toBe(200)
    }
    expect((await scene.ask(whole)).status).toBe(429)
    for (const client of clients) client.close()
    await gaugeReaches(gateway, 'queue_bytes', 0)
    scene.host().play(...soundAnswer)
    expect((await scene.ask(whole)).status).toBe(200)
    expect(await usedOnce(gateway, 4)).toMatchObject({ failed: 0 })
    return { requests: 17, attempts: { a: 4 } }
  }))
