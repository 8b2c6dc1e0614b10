/** Two gateways at work before one host, with all that boards show of several: they share a Redis, and more want a slot than there are. */

import { setTimeout as pause } from 'node:timers/promises'
import { type GatewayUnderTest, startGateway } from '../gateway-under-test.ts'
import { startLmxDouble } from '../lmx-double/lmx-double.ts'
import { startRedis } from '../redis.ts'
import { model } from './busy-gateway.ts'

/** As `storage.redis.replica` has them. */
export const replicas = ['east', 'west'] as const
const clientsEach = 2

export interface BusyFleet {
  readonly gateways: readonly GatewayUnderTest[]
  stop(): Promise<void>
}

export async function startBusyFleet(): Promise<BusyFleet> {
  const redis = await startRedis()
  const cost = { ttftMs: 40, decodeTokensPerSecond: 200 }
  const double = await startLmxDouble({ models: [model], slots: 2, answerTokens: 20, cost })
  const gateways: GatewayUnderTest[] = []
  for (const replica of replicas) {
    // One process has all of them, the clients and the hosts: it is busy for longer than a gateway alone would be.
    const redisOptions = { url: redis.url, replica, connectMsMax: 20_000, answerMsMax: 2_000 }
    const storage = { path: ':memory:', redis: redisOptions }
    gateways.push(await startGateway({ hosts: [{ name: 'studio', url: double.url }], storage }))
  }
  const stopped = new AbortController()
  const running = gateways.flatMap(({ url }) => Array.from({ length: clientsEach }, () => work(url, stopped.signal)))
  return {
    gateways,
    async stop() {
      stopped.abort()
      await Promise.all(running)
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]()
      await double.stop()
      await redis.close()
    },
  }
}

async function work(url: string, stopped: AbortSignal): Promise<void> {
  const body = JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Tell me a story.' }] })
  const headers = { 'content-type': 'application/json' }
  while (!stopped.aborted) {
    try {
      const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body, signal: stopped })
      await response.text()
      await pause(50, undefined, { signal: stopped })
    } catch (error) {
      if (!stopped.aborted) throw error
    }
  }
}
