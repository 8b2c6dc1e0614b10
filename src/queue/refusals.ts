/** What a request hears that gets no slot: whether it may wait at all, and how long that is likely to take. */
import { GatewayError } from '../base/errors.ts'
import type { Flow } from './flow.ts'
import type { Line } from './line.ts'
import type { QueueRules } from './options.ts'
import type { SlotRequest } from './slot-request.ts'
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

const nobody: Waiting = { requests: 0, tokens: 0 }

/** Whether one more with so many tokens may wait, for whatever it is. */
export function hasRoom(wanted: number, { line, elsewhere = nobody, rules }: InAll): boolean {
  const requests = line.size + elsewhere.requests
  const tokens = requests === 0 ? 0 : line.tokens + elsewhere.tokens + wanted
  return requests < rules.lengthMax && tokens <= rules.tokensMax
}

/** Which bound keeps a newcomer out: one of its own key's, or one of everybody's; null where none does. */
export function boundMet(
  { class: ofClass, tokens }: SlotRequest,
  { flow, ...inAll }: InAll & { readonly flow: Flow },
): 'key' | 'all' | null {
  const { line, rules } = inAll
  const wanted = tokens.input + tokens.output
  // Whatever its size, one may wait: it would not be smaller later.
  const ownTokens = flow.waiting === 0 ? 0 : flow.waitingTokens + wanted
  if (flow.waiting >= rules.lengthMaxPerKey || ownTokens > rules.tokensMaxPerKey) return 'key'
  if (!hasRoom(wanted, inAll)) return 'all'
  return line.waitingOf(ofClass) >= rules.classes[ofClass].lengthMax ? 'all' : null
}

export function noRoom(whose: 'key' | 'all', estimate: WaitEstimate): GatewayError {
  const after = { retryAfterMs: hintMs(estimate.p50Ms ?? 0), wait: estimate }
  return whose === 'all'
    ? new GatewayError('queue_full', 'Every slot is busy and the line is full.', after)
    : new GatewayError('concurrency_limit_exceeded', 'This key has as many requests in the line as it may.', after)
}

export function waitTooLong(estimate: WaitEstimate, patienceMs: number): GatewayError {
  const { p50Ms } = estimate
  const message = `Every slot is busy, and the wait for one would be about ${Math.ceil((p50Ms ?? 0) / 1000)} s, which is more than the ${Math.floor(patienceMs / 1000)} s that it may take.`
  return new GatewayError('queue_wait_too_long', message, {
    retryAfterMs: hintMs((p50Ms ?? 0) - patienceMs),
    wait: estimate,
  })
}

export function patienceOver(
  estimate: WaitEstimate,
  { patienceMs, busyForMs }: { patienceMs: number; busyForMs: number },
): GatewayError {
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
