/** Names and queries that several panels share, so that the same word means the same figure everywhere. */

import { callersOutcomes, failedOutcomes } from '../rules/recording-rules.ts'
import type { State, Target } from './panel.ts'
import { gauge, quantile, rate, rateOver, shareOfTime } from './promql.ts'

export const tokensPerSecond = 'suffix: tok/s'
export const requestsPerSecond = 'reqps'
export const perSecond = 'suffix: /s'
export const host = ['host'] as const
export const model = ['model'] as const
export const key = ['key'] as const
export const modelAndHost = ['model', 'host'] as const

/** Down as soon as one of several gateways cannot reach it. */
export const hostsUp = gauge('host_up', { follow: host, by: host }, 'min')

export const hostStates: readonly State[] = [
  { value: 0, text: 'down', color: 'red' },
  { value: 1, text: 'up', color: 'green' },
  { value: 2, text: 'paused', color: 'blue' },
  { value: 3, text: 'ejected', color: 'orange' },
  { value: 4, text: 'ejected and paused', color: 'orange' },
  { value: 5, text: 'draining', color: 'blue' },
  { value: 6, text: 'draining', color: 'blue' },
  { value: 7, text: 'draining, ejected', color: 'orange' },
  { value: 8, text: 'draining, ejected', color: 'orange' },
]

const paused = gauge('host_paused', { follow: host, by: host }, 'max')
const ejected = gauge('host_circuit_open', { follow: host, by: host }, 'max')
const draining = gauge('host_draining', { follow: host, by: host }, 'max')
/** One number for `hostStates`. */
export const hostState = `${hostsUp} * (1 + ${paused} + 2 * ${ejected} + 4 * ${draining})`

/** Reasoning is part of the output. */
export const output = { type: '="output"' }

/** The recorded figure says the same by model. */
export function failedShare(): string {
  const ofOutcome = (outcome: string) => rate('request_outcomes_total', { follow: model, where: { outcome } })
  return shareOf(ofOutcome(`=~"${failedOutcomes}"`), ofOutcome(`!~"${callersOutcomes}"`))
}

/** With no such event at all there is no such series, and 0 is the answer; with nothing to be a share of there is none. */
export function shareOf(part: string, all: string): string {
  return `(${part} or vector(0)) / (${all} > 0)`
}

type Grouping = readonly ('model' | 'host')[]

/** Every second of every stream weighs the same, and every token. */
export function streamSpeed(by: Grouping = []): string {
  return `${rate('decode_tokens_total', { follow: modelAndHost, by })} / ${rate('decode_token_seconds_total', { follow: modelAndHost, by })}`
}

/** Per second, of all models: those of each model overlap, and cannot be added up. */
export const generating = shareOfTime('host_generating_seconds_total', { follow: host, by: host })

/** Streams that decode and whole answers of all models: each takes a place in the batch. */
export function batchSize(): string {
  const seconds = (name: 'decode_seconds_total' | 'whole_seconds_total') => rate(name, { follow: host, by: host })
  return `(${seconds('decode_seconds_total')} + ${seconds('whole_seconds_total')}) / ${generating}`
}

export function tokens(type: string, by: readonly ('model' | 'host' | 'key' | 'type')[] = []): string {
  return rate('tokens_total', { follow: [...modelAndHost, ...key], where: { type }, by })
}

export function prefillSpeed(): string {
  return `${rate('prefill_tokens_total', { follow: modelAndHost, by: modelAndHost })} / ${rate('prefill_token_seconds_total', { follow: modelAndHost, by: modelAndHost })}`
}

/** Share of requests that missed an objective, over a window that is judged and not looked at. */
export function missRatio(slo: string, window: string): string {
  const over = (met: object) =>
    rateOver(window, 'slo_requests_total', { follow: model, where: { slo: `="${slo}"`, ...met } })
  return `${over({ met: '="false"' })} / (${over({})} > 0)`
}

export const timeToFirstToken: readonly Target[] = [0.5, 0.95, 0.99].map((q) => ({
  expr: quantile(q, 'time_to_first_token_seconds', { follow: modelAndHost }),
  legend: `p${q * 100}`,
  exemplars: q === 0.99,
}))

/** The largest of what a query gives by key. */
export function topTen(expr: string): string {
  return `topk(10, ${expr})`
}
