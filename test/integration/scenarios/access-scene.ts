/** Scenes with keys: requests that carry one, what the ledger says of them, and the headers that tell what is left. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import type { FakeClock } from '../../kit/fake-clock.ts'
import type { CreatedKey, GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import { type Headers, jsonResponseBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { chatAnswer, chatBytes } from './scene.ts'

/** A chat request with a key. */
export function keyedBytes({ key }: Pick<CreatedKey, 'key'>, fields: object = {}, headers: Headers = {}): Buffer {
  return chatBytes({ ...fields }, { authorization: `Bearer ${key}`, ...headers })
}

/** A whole answer that used 3 tokens of a prompt and generated 2. */
export const soundAnswer: readonly ScriptStep[] = [wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('well')))]

/** The same of so many tokens. */
export function answerOf(input: number, output: number): readonly ScriptStep[] {
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output }
  return [wholeRequest, jsonResponseBytes(200, { ...(JSON.parse(chatAnswer('well')) as object), usage })]
}

export interface Used {
  readonly requests: number
  readonly failed: number
  readonly unfinished: number
  readonly input: number
  readonly output: number
}

/** What the ledger has, of all keys or of one by its name; rows are written half a second after they are made. */
export async function usedBy(gateway: GatewayUnderTest, key?: string): Promise<Used> {
  const only = key === undefined ? '' : `&key=${encodeURIComponent(key)}`
  const { total } = (await gateway.admin('GET', `/admin/usage?by=&from=2020-01-01${only}`)) as { total: Used }
  return total
}

/** Resolves with what the ledger has once so many requests are in it, and none of them runs. With `clock`, time is moved on for it. */
export async function usedOnce(
  gateway: GatewayUnderTest,
  requests: number,
  { key, clock }: { key?: string; clock?: FakeClock } = {},
): Promise<Used> {
  const endsAt = performance.now() + 20_000
  for (;;) {
    const used = await usedBy(gateway, key)
    if (used.requests === requests && used.unfinished === 0) return used
    if (performance.now() > endsAt) expect(used).toMatchObject({ requests, unfinished: 0 })
    if (clock === undefined) await pause(20)
    else await clock.advance(100)
  }
}

export const limitHeaderNames = ['limit', 'remaining', 'reset'].flatMap((what) =>
  ['requests', 'tokens'].map((counts) => `x-ratelimit-${what}-${counts}`),
)

/** Those of OpenAI's six headers that an answer has. */
export function limitHeadersOf(answer: HttpMessage): Record<string, string> {
  const found = limitHeaderNames.map((name) => [name, answer.header(name)] as const)
  return Object.fromEntries(found.filter((pair): pair is readonly [string, string] => pair[1] !== undefined))
}

/** What is left of one limit of a key, as the admin API says. */
export async function remainingOf(gateway: GatewayUnderTest, key: CreatedKey, limit: string): Promise<number> {
  const { limits } = (await gateway.admin('GET', `/admin/limits/${key.id}`)) as {
    limits: readonly { limit: string; remaining: number }[]
  }
  return limits.find((one) => one.limit === limit)?.remaining ?? Number.NaN
}
