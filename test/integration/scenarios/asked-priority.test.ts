/** Headers by which a client asks to go first: those of hosts are nobody's, the gateway's own only lowers what a key allows. */
import { expect, test } from 'vitest'
import type { CreatedKey } from '../../kit/gateway-under-test.ts'
import type { Headers } from '../../kit/http-bytes.ts'
import { keyedBytes } from './access-scene.ts'
import { answeredAtStep, endOf, queued, runningAt, sent, userOf } from './line-scene.ts'
import { type Scene, scenario } from './scene.ts'

interface Asking {
  readonly user: string
  readonly key: CreatedKey
  readonly headers?: Headers
}

/** Who is served in which order by one slot, when all have come while somebody else held it. */
async function orderOf(scene: Scene, holder: CreatedKey, asking: readonly Asking[]): Promise<(string | undefined)[]> {
  scene.host().playAlways(...answeredAtStep)
  const clients = [await sent(scene, keyedBytes(holder))]
  await runningAt(scene, 0)
  for (const { user, key, headers } of asking) clients.push(await queued(scene, keyedBytes(key, { user }, headers)))
  for (let at = 0; at < clients.length; at++) await (await runningAt(scene, at)).step()
  for (const client of clients) expect((await endOf(scene, client)).status).toBe(200)
  return scene.host().exchanges.slice(1).map(userOf)
}

/** What LMX and others look at to decide who goes first, or whose a request is. */
const hostPriorities: Headers = {
  'x-priority': 'high',
  'x-serving-lane': 'interactive',
  'x-client-id': 'somebody-else',
  priority: 'u=0',
}

test('S07: X-Priority: high and its like change nothing in the line, and no host sees them', () =>
  scenario({ slots: 1 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'one' })
    const order = await orderOf(scene, key, [
      { user: 'first', key },
      { user: 'second', key, headers: hostPriorities },
      { user: 'third', key, headers: { ...hostPriorities, 'x-lmx-gateway-priority': 'default' } },
    ])
    expect(order).toEqual(['first', 'second', 'third'])
    for (const { request } of scene.host().exchanges) {
      const names = request?.headers.map(([name]) => name.toLowerCase()) ?? []
      expect(names.filter((name) => name.startsWith('x-lmx-gateway') || name in hostPriorities)).toEqual([])
    }
    return { requests: 4, attempts: { a: 4 } }
  }))

test('S07: x-lmx-gateway-priority is what the key allows at the most', () =>
  scenario({ slots: 1 }, async (scene) => {
    const { gateway } = scene
    const bulk = await gateway.createKey({ name: 'bulk', class: 'bulk' })
    const standard = await gateway.createKey({ name: 'standard' })
    const urgent = await gateway.createKey({ name: 'urgent', class: 'interactive' })
    const wants = (asked: string): Headers => ({ 'x-lmx-gateway-priority': asked })
    const order = await orderOf(scene, standard, [
      { user: 'bulkWantsMore', key: bulk, headers: wants('interactive') },
      { user: 'standardWantsMore', key: standard, headers: wants('interactive') },
      { user: 'urgentWantsLess', key: urgent, headers: wants('bulk') },
      { user: 'urgentWantsIt', key: urgent, headers: wants('interactive') },
    ])
    expect(order.slice(0, 2)).toEqual(['urgentWantsIt', 'standardWantsMore'])
    expect(new Set(order.slice(2))).toEqual(new Set(['bulkWantsMore', 'urgentWantsLess']))
    const classes = (await gateway.outcomesOnce(5)).map(({ fields }) => fields['class'])
    expect(classes).toEqual(['default', 'interactive', 'default', 'bulk', 'bulk'])
    return { requests: 5, attempts: { a: 5 } }
  }))
