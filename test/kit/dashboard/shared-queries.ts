/** Names and queries that several panels share, so that the same word means the same figure everywhere. */

import { gauge, rate } from './promql.ts'

export const tokensPerSecond = 'suffix: tok/s'
export const requestsPerSecond = 'reqps'
export const host = ['host'] as const
export const model = ['model'] as const
export const modelAndHost = ['model', 'host'] as const

/** Down as soon as one of several gateways cannot reach it. */
export const hostsUp = gauge('host_up', { follow: host, by: host }, 'min')

/** Reasoning is part of the output. */
export const output = { type: '="output"' }

/** Ended neither well nor because the client left, and not through a fault of the caller's own (the other 4xx). */
const failed = { status: '=~"2..|429|5.."', end: '!~"--|C."' }

export function failedShare(): string {
  // With no failure at all there is no such series, and 0 is the answer; with no request at all there is no share.
  return `(${rate('requests_total', { follow: model, where: failed })} or vector(0)) / (${rate('requests_total', { follow: model })} > 0)`
}

type Grouping = readonly ('model' | 'host')[]

export function streamSpeed(by: Grouping = []): string {
  return `${rate('tokens_total', { follow: modelAndHost, where: output, by })} / ${rate('decode_seconds_total', { follow: modelAndHost, by })}`
}

export function busySeconds(): string {
  return rate('host_busy_seconds_total', { follow: modelAndHost, by: modelAndHost })
}

export function inputTokens(type: 'input' | 'cached_input'): string {
  return rate('tokens_total', { follow: modelAndHost, where: { type: `="${type}"` }, by: modelAndHost })
}

export function prefillSpeed(): string {
  const computed = `(${inputTokens('input')} - ${inputTokens('cached_input')})`
  return `${computed} / ${rate('prefill_seconds_total', { follow: modelAndHost, by: modelAndHost })}`
}
