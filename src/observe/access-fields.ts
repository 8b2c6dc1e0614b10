/** What the access line of a request has: the list of its fields, and the only one; README prints it. */
import { endToEndTokensPerSecondOf, type Outcome, otherNameOf, tokensPerSecondOf } from '../relay/outcome.ts'

export type AccessValue = string | number | boolean | null

export interface AccessField {
  readonly type: 'text' | 'number' | 'boolean'
  readonly unit: 'ms' | 'tokens' | 'ms/token' | 'tok/s' | null
  readonly meaning: string
  readonly of: (outcome: Outcome) => AccessValue
}

/** In the order of the line. A value that is unknown, or does not exist for the request, is null. */
export const accessFields = {
  requestId: text("The client's own (x-request-id) where it sent one; it may repeat", (one) => one.requestId),
  id: text('Made by the gateway, never twice: GET /admin/requests and exemplars name it', (one) => one.id),
  traceId: text('Of its trace: that of its client, or one that began here', ({ trace }) => trace?.traceId ?? null),
  endpoint: text('Name of the endpoint, such as chat_completions', (one) => one.endpoint),
  model: text('The name that was asked for, where it is a known one', (one) => one.model),
  asked: text('The name that was asked for where it is another, cut to 64 characters', otherNameOf),
  host: text('Of the last attempt', (one) => one.host),
  reason: text('Why this host was chosen', ({ attemptsMade }) => attemptsMade.at(-1)?.reason ?? null),
  key: text('Name of the key; anonymous without one', (one) => one.key),
  class: text('interactive, default or bulk', (one) => one.class),
  stream: { type: 'boolean', unit: null, meaning: 'A stream was asked for', of: (one) => one.stream },
  status: number(null, 'What the client got; 499 where it left first', (one) => one.status),
  end: text('Who ended it and in which phase; -- where all is well', (one) => one.end),
  error: text('Code of the error', (one) => one.errorCode),
  attempts: number(null, 'Times that it was sent to a host', (one) => one.attempts),
  attemptHosts: text('The hosts in order, where there was more than one attempt', attemptHostsOf),
  readMs: milliseconds('Until its body was read', ({ spent }) => spent.readMs),
  limitMs: milliseconds('Checks, and the wait for the limits of its key or address', ({ spent }) => spent.limitMs),
  queueMs: milliseconds('In the line, all turns together', ({ spent }) => spent.queueMs),
  lostMs: milliseconds('In attempts that came to nothing, or were given back', ({ spent }) => spent.lostMs),
  hostMs: milliseconds("Until the head of the last host's answer", ({ spent }) => spent.hostMs),
  prefillMs: milliseconds('From there to the first content', ({ spent }) => spent.prefillMs),
  contentMs: milliseconds('From there until the answer was whole', ({ spent }) => spent.contentMs),
  lastMs: milliseconds('Until the client had the last bytes', ({ spent }) => spent.lastMs),
  durationMs: milliseconds('In all: the eight above together', (one) => one.durationMs),
  ttftMs: milliseconds('To the first content, of a stream', (one) => one.ttftMs),
  tpotMs: number('ms/token', 'TPOT of a stream', (one) => rounded(one.timePerOutputTokenMs, 2)),
  tokensPerSecond: number('tok/s', 'Decode tok/s of the stream: 1 / TPOT', (one) =>
    rounded(tokensPerSecondOf(one.timePerOutputTokenMs), 1),
  ),
  endToEndTokensPerSecond: number('tok/s', 'Of any answer: tokensOut / durationMs', (one) =>
    rounded(endToEndTokensPerSecondOf(one.tokens.output, one.durationMs), 1),
  ),
  tokensIn: number('tokens', 'Of the prompt', ({ tokens }) => tokens.input),
  tokensCached: number('tokens', 'Of these, from the prefix cache of the host', ({ tokens }) => tokens.cachedInput),
  tokensOut: number('tokens', 'Generated', ({ tokens }) => tokens.output),
  tokensReasoning: number('tokens', 'Of these, reasoning', ({ tokens }) => tokens.reasoning),
  usage: text('Where the tokens come from: reported, counted, estimated or none', (one) => one.usageSource),
} as const satisfies Readonly<Record<string, AccessField>>

function attemptHostsOf({ attemptsMade }: Outcome): string | null {
  return attemptsMade.length > 1 ? attemptsMade.map(({ host }) => host).join(' ') : null
}

function text(meaning: string, of: AccessField['of']): AccessField {
  return { type: 'text', unit: null, meaning, of }
}

function number(unit: AccessField['unit'], meaning: string, of: AccessField['of']): AccessField {
  return { type: 'number', unit, meaning, of }
}

function milliseconds(meaning: string, of: (outcome: Outcome) => number | null): AccessField {
  return number('ms', meaning, (outcome) => rounded(of(outcome), 1))
}

/** To tenths or hundredths. */
function rounded(value: number | null, digits: 1 | 2): number | null {
  const scale = digits === 1 ? 10 : 100
  return value === null ? null : Math.round(value * scale) / scale
}
