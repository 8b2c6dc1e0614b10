/** Scenes of the line: requests that wait as long as the test wants, before a host that ends one answer at each step. */
import { type Exchange, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { jsonResponseBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { chatAnswer, type Scene } from './scene.ts'

/** Whole, once it is let go on. */
export const answeredAtStep: readonly ScriptStep[] = [
  wholeRequest,
  pause,
  jsonResponseBytes(200, JSON.parse(chatAnswer('well'))),
]

/** Asks, and leaves the answer for later; `endOf` has it, however long that took. */
export async function sent(scene: Scene, bytes: Uint8Array): Promise<RawClient> {
  const client = await scene.connect()
  await client.send(bytes)
  return client
}

export async function endOf(scene: Scene, client: RawClient): Promise<HttpMessage> {
  const answer = await scene.answer(client)
  await answer.over()
  return answer
}

/** Asks while no slot is free: resolves once it is in the line, so that the next one comes behind it. */
export async function queued(scene: Scene, bytes: Uint8Array): Promise<RawClient> {
  const depth = await scene.gateway.sum('queue_depth')
  const client = await sent(scene, bytes)
  await gaugeReaches(scene.gateway, 'queue_depth', depth + 1)
  return client
}

/** The nth exchange at the host, as soon as all of its request is there and its answer waits for a step. */
export async function runningAt(scene: Scene, index: number): Promise<Exchange> {
  const exchange = await scene.host().exchange(index)
  await exchange.paused()
  return exchange
}

/** By which a request can be told from others. */
export function userOf({ request }: Exchange): string | undefined {
  return /"user":"([\w-]+)"/.exec(request?.text ?? '')?.[1]
}
