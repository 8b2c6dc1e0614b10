/** A fleet of doubles that are as fast as they are told, behind a gateway and over real sockets, in time that runs faster. */

import { Agent, request } from 'node:http'
import { onTestFinished } from 'vitest'
import type { ConfigInput } from './config-of.ts'
import { expectAtRest, model, startDouble } from './fleet.ts'
import { type GatewayUnderTest, startGateway } from './gateway-under-test.ts'
import type { LmxDouble } from './lmx-double/lmx-double.ts'
import type { CostModel } from './lmx-double/options.ts'
import { RunningClock } from './running-clock.ts'

/** The fastest of the three Macs of the paper on scheduling; the others are as fast as a share of it. */
export const fastestCost = {
  prefillTokensPerSecond: 1_500,
  decodeTokensPerSecond: 95,
  batchSlowdown: 0.28,
  readsInTurn: true,
}

export function costOf(share: number): Partial<CostModel> {
  return {
    ...fastestCost,
    prefillTokensPerSecond: share * fastestCost.prefillTokensPerSecond,
    decodeTokensPerSecond: share * fastestCost.decodeTokensPerSecond,
  }
}

export interface UnequalFleet {
  readonly clock: RunningClock
  readonly gateway: GatewayUnderTest
  readonly doubles: readonly LmxDouble[]
  /** Resolves when the answer has ended. */
  chat(prompt: string, answerTokens: number, more?: { readonly stream?: boolean }): Promise<void>
}

/** One host for each share of the fastest one's speed. */
export async function unequalFleet(
  shares: readonly number[],
  { slots, ...config }: { readonly slots: number } & Omit<ConfigInput, 'hosts'>,
): Promise<UnequalFleet> {
  const clock = new RunningClock()
  const doubles = await Promise.all(shares.map((share) => startDouble({ slots, clock, cost: costOf(share) })))
  const hosts = doubles.map(({ url }, index) => ({ name: `host-${index}`, url, slots }))
  const queue = { waitMsMax: 3_600_000, ...config.queue }
  const gateway = await startGateway({ ...config, hosts, queue, probe: { everyMs: 3_600_000 } }, { clock })
  const agent = new Agent({ keepAlive: true })
  onTestFinished(async () => {
    await expectAtRest(gateway)
    agent.destroy()
    await clock[Symbol.asyncDispose]()
    await gateway.gateway.stop({ now: true })
  })
  const chat: UnequalFleet['chat'] = (prompt, answerTokens, { stream = true } = {}) => {
    const messages = [{ role: 'user', content: prompt }]
    return sent(agent, gateway, { model, messages, max_tokens: answerTokens, stream })
  }
  return { clock, gateway, doubles, chat }
}

/** Four characters are a token; no two prompts begin alike. */
export function promptOf(tokens: number, name: string): string {
  return `${name} `.padEnd(4 * tokens, 'word ')
}

function sent(agent: Agent, { baseUrl }: GatewayUnderTest, body: object): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const one = request(`${baseUrl}/chat/completions`, { method: 'POST', headers, agent })
    one.on('error', reject)
    one.on('response', (answer) => {
      answer.on('error', reject)
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode ?? 0}`)),
      )
      answer.resume()
    })
    one.end(JSON.stringify(body))
  })
}
