/** What a request hears that gets no slot: whether it may wait at all, and how long that is likely to take. */
import { GatewayError } from '../base/errors.ts'
import type { Rejection } from './events.ts'
import type { Flow } from './flow.ts'
import type { Line } from './line.ts'
import type { QueueRules } from './rules.ts'
import type { SlotRequest } from './slot-request.ts'
import { stillLoading } from './still-loading.ts'
import type { ToldEstimate } from './told-waits.ts'
import type { WaitEstimate } from './wait-estimate.ts'

/** Clients ignore longer hints and come back at once. */
const retryAfterMsMin = 1_000
const retryAfterMsMax = 60_000
/** Those refused together shall not come back together. */
const spread = { least: 0.8, most: 1.2 }

/** Tokens of prompts and answers, as estimated. */
export interface Waiting {
  readonly requests: number
  readonly tokens: number
}

interface InAll {
  readonly line: Line
  /** Not for a slot. */
  readonly elsewhere: Waiting | undefined
  readonly rules: QueueRules
}

/**
 * Requests that no two hosts tell apart share a lane: by model, endpoint, hosts left and room for the prompt. Each slot that is
 * given back looks at all lanes, so that their number has a bound; `lengthMaxPerKey` bounds those of one key well below it.
 */
export const lanesWaitingMax = 512

const nobody: Waiting = { requests: 0, tokens: 0 }

/** Whether one more with so many tokens may wait, for whatever it is. */
export function hasRoom(wanted: number, { line, elsewhere = nobody, rules }: InAll): boolean {
  const requests = line.size + elsewhere.requests
  const tokens = requests === 0 ? 0 : line.tokens + elsewhere.tokens + wanted
  return requests < rules.lengthMax && tokens <= rules.tokensMax
}

export interface Refusal {
  /** Null where it is nothing of the line. */
  readonly reason: Rejection | null
  readonly error: GatewayError
}

/** A bound that is met, of its own key or of everybody; or why nobody may wait just now. */
type Obstacle = 'key' | 'all' | GatewayError

/** Why a newcomer may not begin to wait, however short that would be; null where it may. */
export function obstacleTo(
  request: SlotRequest,
  { stopped, ...within }: InAll & { readonly flow: Flow; readonly stopped: GatewayError | null },
): Obstacle | null {
  return boundMet(request, within) ?? stopped
}

export function notLetIn(obstacle: Obstacle, estimate: WaitEstimate): Refusal {
  if (obstacle instanceof GatewayError) return { reason: null, error: obstacle }
  return { reason: obstacle === 'all' ? 'full' : 'key_full', error: noRoom(obstacle, estimate) }
}

/** Which bound keeps a newcomer out: one of its own key's, or one of everybody's; null where none does. */
function boundMet(request: SlotRequest, { flow, ...inAll }: InAll & { readonly flow: Flow }): 'key' | 'all' | null {
  const { line, rules } = inAll
  const { class: ofClass, tokens } = request
  const wanted = tokens.input + tokens.output
  // Whatever its size, one may wait: it would not be smaller later.
  const ownTokens = flow.waiting === 0 ? 0 : flow.waitingTokens + wanted
  if (flow.waiting >= rules.lengthMaxPerKey || ownTokens > rules.tokensMaxPerKey) return 'key'
  if (!hasRoom(wanted, inAll)) return 'all'
  if (line.laneCount >= lanesWaitingMax && line.laneOf(request).waiting === 0) return 'all'
  return line.waitingOf(ofClass) >= rules.classes[ofClass].lengthMax ? 'all' : null
}

function noRoom(whose: 'key' | 'all', estimate: WaitEstimate): GatewayError {
  const after = { retryAfterMs: hintMs(estimate.p50Ms ?? 0), wait: estimate }
  return whose === 'all'
    ? new GatewayError('queue_full', 'Every slot is busy and the line is full.', after)
    : new GatewayError('concurrency_limit_exceeded', 'This key has as many requests in the line as it may.', after)
}

/** Null where it is not longer than the patience. */
export function waitTooLong(estimate: WaitEstimate, patienceMs: number): Refusal | null {
  const { p50Ms } = estimate
  if ((p50Ms ?? 0) <= patienceMs) return null
  const message = `Every slot is busy, and the wait for one would be about ${Math.ceil((p50Ms ?? 0) / 1000)} s, which is more than the ${Math.floor(patienceMs / 1000)} s that it may take.`
  const after = { retryAfterMs: hintMs((p50Ms ?? 0) - patienceMs), wait: estimate }
  return { reason: 'wait_too_long', error: new GatewayError('queue_wait_too_long', message, after) }
}

export function patienceOver(
  model: string,
  estimate: ToldEstimate,
  { patienceMs, busyForMs }: { patienceMs: number; busyForMs: number },
): GatewayError {
  if (estimate.load !== null) return stillLoading(model, estimate.load)
  return new GatewayError('queue_timeout', `No slot became free within ${seconds(patienceMs)} s.`, {
    retryAfterMs: Math.max(hintMs(estimate.p50Ms ?? 0), busyForMs),
    wait: estimate,
  })
}

function hintMs(ms: number): number {
  const spreadMs = Math.min(Math.max(ms, retryAfterMsMin), retryAfterMsMax)
  return Math.min(spreadMs * (spread.least + (spread.most - spread.least) * Math.random()), retryAfterMsMax)
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
