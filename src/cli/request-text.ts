/** Requests as people read them: those that wait or run, and those that have ended. */
import type { EndedRequest } from '../http/admin/ended-request-schema.ts'
import type { LiveRequest } from '../relay/live-request-schema.ts'
import { printable } from './printable.ts'
import { grouped, more, right, secondsText, table } from './text-table.ts'

export function requestsText(requests: readonly LiveRequest[], matching: number): string {
  if (requests.length === 0) return 'No such request waits or runs.'
  const columns = ['id', 'key', 'class', 'model', 'endpoint', 'phase', right('since'), 'host', right('age')]
  const rows = requests.map((one) => [
    one.id,
    one.key,
    one.class ?? '-',
    one.model ?? '-',
    one.endpoint,
    one.phase,
    secondsText(one.phaseMs),
    one.host ?? '-',
    secondsText(one.ageMs),
    grouped(one.promptTokens),
    grouped(one.outputTokens),
  ])
  return [table([...columns, right('prompt'), right('answer')], rows), ...more(matching - requests.length)].join('\n')
}

export function endedText(requests: readonly EndedRequest[]): string {
  if (requests.length === 0) return 'No such request has ended lately.'
  const columns = [
    'ended',
    'id',
    'key',
    'model',
    'status',
    'end',
    'host',
    right('in all'),
    right('line'),
    right('ttft'),
  ]
  const rows = requests.map((one) => [
    endedAt(one).slice('2026-01-01T'.length, -'.000Z'.length),
    one.id,
    one.key,
    one.model ?? one.asked ?? '-',
    String(one.status),
    one.end,
    one.host ?? '-',
    secondsText(one.durationMs),
    secondsText(one.spent.queueMs),
    one.ttftMs === null ? '-' : secondsText(one.ttftMs),
    one.tokensPerSecond === null ? '-' : one.tokensPerSecond.toFixed(1),
    grouped(one.tokens.output),
  ])
  return table([...columns, right('tok/s'), right('answer')], rows)
}

/** Of one request: what became of it, where its time went, and what was decided on the way. */
export function endedRequestText(one: EndedRequest): string {
  const asked = one.model ?? (one.asked === null ? 'no model' : `${one.asked}, which is unknown`)
  return [
    `${one.id} of ${one.key} (${one.class ?? 'no class'}): ${one.endpoint}, ${asked}${one.stream ? ', streamed' : ''}`,
    `${one.status} ${one.end}${one.error === null ? '' : ` ${one.error}`}, accepted ${one.acceptedAt}, ${durationText(one.durationMs)} in all`,
    `tokens: ${tokensText(one)}`,
    ...speedText(one),
    '',
    'where the time went:',
    ...spentRows(one).map(([what, ms]) => `  ${what.padEnd(spentWidth)}  ${durationText(ms).padStart(9)}`),
    ...toldText(one),
    ...one.attemptsMade.flatMap(attemptText),
  ]
    .map(printable)
    .join('\n')
}

function endedAt({ acceptedAt, durationMs }: EndedRequest): string {
  return new Date(Date.parse(acceptedAt) + durationMs).toISOString()
}

function tokensText({ tokens: { input, cachedInput, output, reasoning }, usage }: EndedRequest): string {
  return `${grouped(input)} in (${grouped(cachedInput)} cached), ${grouped(output)} out (${grouped(reasoning)} reasoning), ${usage}`
}

function speedText({ ttftMs, tokensPerSecond, endToEndTokensPerSecond }: EndedRequest): string[] {
  const ttft = ttftMs === null ? [] : [`first content after ${durationText(ttftMs)}`]
  const speed = tokensPerSecond === null ? [] : [`${tokensPerSecond.toFixed(1)} tok/s`]
  const endToEnd = endToEndTokensPerSecond === null ? [] : [`${endToEndTokensPerSecond.toFixed(1)} tok/s end to end`]
  const said = [...ttft, ...speed, ...endToEnd]
  return said.length === 0 ? [] : [said.join(', ')]
}

const spentWidth = 30

function spentRows({ spent }: EndedRequest): readonly (readonly [string, number])[] {
  return [
    ['body', spent.readMs],
    ['checks and limits of its key', spent.limitMs],
    ['line', spent.queueMs],
    ['attempts that came to nothing', spent.lostMs],
    ['host, to the head', spent.hostMs],
    ['host, to the first content', spent.prefillMs],
    ['content', spent.contentMs],
    ['last bytes to the client', spent.lastMs],
  ]
}

function toldText({ toldWait }: EndedRequest): string[] {
  if (toldWait === null) return []
  const { p50Ms, p90Ms } = toldWait
  return [
    `  reckoned when it came: ${durationText(p50Ms)} in line in one of two cases, ${durationText(p90Ms)} in nine of ten`,
  ]
}

function attemptText(attempt: EndedRequest['attemptsMade'][number], at: number): string[] {
  const { host, model, reason, considered, beganMs, endedMs, failure } = attempt
  return [
    '',
    `attempt ${at + 1}: ${host} (${model}), ${reason}${considered.length === 0 ? '' : ` of ${considered.join(', ')}`}`,
    `  from ${durationText(beganMs)} to ${durationText(endedMs)}${failure === null ? '' : `: ${failure}`}`,
  ]
}

/** Small parts of the time are what one looks for here. */
function durationText(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(1)} ms` : secondsText(ms)
}
