/** Connections by the hundred that never ask for anything, from one address and from many. */
import { expect, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { chatAnswer, chatBytes, errorOf, type Scene, scenario } from './scene.ts'

const long = process.env['TEST_LONG'] === 'true'
/** Both ends of a connection are in this process: the long form takes twice as many files as connections. */
const perAddress = long ? 8_000 : 300
const total = long ? 8_100 : 330
/** Without the limit of time they would be closed one by one while others are opened. */
const caps = {
  config: { server: { connectionsPerAddressMax: perAddress, connectionsMax: total, headerMsMax: 600_000 } },
}

/** Opens them in turn, so that no backlog overflows. */
async function idle(scene: Scene, count: number, from = '127.0.0.1'): Promise<RawClient[]> {
  const clients: RawClient[] = []
  while (clients.length < count) {
    const batch = Math.min(50, count - clients.length)
    clients.push(...(await Promise.all(Array.from({ length: batch }, () => scene.connect({ from })))))
  }
  return clients
}

async function expectTurnedAway(client: RawClient, sentence: string): Promise<void> {
  const answer = await client.response()
  await answer.over()
  expect(answer).toMatchObject({ status: 503, complete: true })
  expect(errorOf(answer)).toMatchObject({ code: 'overloaded', type: 'overloaded_error', message: sentence })
  expect(answer.header('retry-after')).toMatch(/^[4-6]$/)
  expect(answer.header('connection')).toBe('close')
  client.halfClose()
  await client.closed()
}

const fromYours = 'Too many connections are open from your address; close some.'

test(
  'C12: idle connections of one address end at its limit, and clients of other addresses are served',
  { timeout: 120_000 },
  () =>
    scenario(caps, async (scene) => {
      scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
      const clients = await idle(scene, perAddress)
      for (let index = 0; index < 5; index++) await expectTurnedAway(await scene.connect(), fromYours)
      const other = await scene.connect({ from: '127.0.0.2' })
      expect((await scene.ask(chatBytes(), other)).status).toBe(200)
      // One that is open already works as before, and one that closes makes room.
      expect((await scene.ask(chatBytes(), clients[0])).status).toBe(200)
      clients[1]!.close()
      await served(scene)
      return { requests: 2, attempts: { a: 2 } }
    }),
)

test(
  'C12: idle connections of many addresses end at the limit for all, and closing one makes room',
  { timeout: 120_000 },
  () =>
    scenario(caps, async (scene) => {
      const clients = await idle(scene, perAddress)
      await idle(scene, total - perAddress, '127.0.0.2')
      await expectTurnedAway(await scene.connect({ from: '127.0.0.3' }), 'Too many connections are open.')
      // The address that has too many is told so all the same.
      await expectTurnedAway(await scene.connect(), fromYours)
      expect((await scene.ask(requestBytes('GET', '/v1/models'), clients[0])).status).toBe(200)
      // The operator comes by another listener.
      expect((await fetch(`${scene.gateway.adminUrl}/metrics`)).status).toBe(200)
      clients[1]!.resetAndDestroy()
      await served(scene, '127.0.0.3')
      return { requests: 0, attempts: {} }
    }),
)

test('C12: a thousand that are turned away at once take no place and leave nothing behind', () =>
  scenario({ config: { server: { connectionsPerAddressMax: 1, connectionsMax: 10 } } }, async (scene) => {
    const kept = await scene.connect()
    const turnedAway = await idle(scene, 1_000)
    await Promise.all(turnedAway.map((client) => client.closed(20_000).catch(() => client.close())))
    expect((await scene.ask(requestBytes('GET', '/v1/models'), kept)).status).toBe(200)
    const other = await scene.connect({ from: '127.0.0.2' })
    expect((await scene.ask(requestBytes('GET', '/v1/models'), other)).status).toBe(200)
    return { requests: 0, attempts: {} }
  }))

/** The gateway hears of a close a moment later than we do. */
async function served(scene: Scene, from?: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const client = await scene.connect(from === undefined ? {} : { from })
    const answer = await client.send(requestBytes('GET', '/v1/models')).then(() => client.response())
    await answer.over()
    client.close()
    if (answer.status === 200) return
  }
  throw new Error('no room was made by closing a connection')
}
