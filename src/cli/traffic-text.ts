/** What waits and runs as people read it. */
import type { LineHost, LineView } from '../queue/line-view-schema.ts'
import type { LiveRequest } from '../relay/live-request-schema.ts'
import { type Column, grouped, textTable } from './text-table.ts'

export function lineText(line: LineView): string {
  const { waiting, tokens, limitWaiting, limitTokens, bytes, bounds, hosts, depths, keys, requests } = line
  return [
    `${stateText(line)} ${counted(waiting + limitWaiting, 'request')} of ${grouped(bounds.lengthMax)} that may wait${forLimitsText(line)},`,
    `${grouped(tokens + limitTokens)} of ${grouped(bounds.tokensMax)} tokens, ${grouped(bytes)} of ${grouped(bounds.bytesMax)} bytes.${estimatesText(line)}`,
    ...section(hosts.map(hostRow), ['host', 'state', right('running'), right('slots')]),
    ...section(
      depths.map((one) => [one.model, one.class, grouped(one.waiting), grouped(one.tokens), secondsText(one.oldestMs)]),
      ['model', 'class', right('waiting'), right('tokens'), right('oldest')],
    ),
    ...section(
      keys.map((one) => [
        one.key,
        one.class,
        String(one.weight),
        grouped(one.waiting),
        grouped(one.limitWaiting),
        grouped(one.running),
        grouped(Math.round(one.counter)),
      ]),
      ['key', 'class', right('weight'), right('waiting'), right('for limits'), right('running'), right('served more')],
    ),
    ...section(requests.map(waitingRow), [
      'id',
      'key',
      'class',
      'model',
      right('tokens'),
      right('waited'),
      right('ahead'),
      right('p50'),
      right('p90'),
    ]),
    ...more(waiting - requests.length),
  ].join('\n')
}

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

function stateText({ paused }: LineView): string {
  return paused ? 'The line is paused: nobody is given a slot.' : 'The line is open.'
}

function forLimitsText({ limitWaiting }: LineView): string {
  return limitWaiting === 0 ? '' : ` (${grouped(limitWaiting)} for their own limits)`
}

/** Nothing where no wait has ended of which anything was told. */
function estimatesText({ estimates: { waits, withinP90, nearP50 } }: LineView): string {
  if (withinP90 === null || nearP50 === null) return ''
  return ` Of the last ${counted(waits, 'wait')} ${percent(withinP90)} were within their p90, ${percent(nearP50)} near their p50.`
}

function hostRow({ name, paused, up, running, slots }: LineHost): string[] {
  return [name, paused ? 'paused' : up ? 'up' : 'down', grouped(running), grouped(slots)]
}

function waitingRow(one: LineView['requests'][number]): string[] {
  return [
    one.id,
    one.key,
    one.class,
    one.model,
    grouped(one.tokens),
    secondsText(one.waitedMs),
    grouped(one.position),
    one.p50Ms === null ? '-' : secondsText(one.p50Ms),
    one.p90Ms === null ? '-' : secondsText(one.p90Ms),
  ]
}

/** A title alone is a column of words. */
type Titled = string | Column

function right(title: string): Column {
  return { title, isNumber: true }
}

function table(columns: readonly Titled[], rows: readonly (readonly string[])[]): string {
  return textTable(
    columns.map((column) => (typeof column === 'string' ? { title: column } : column)),
    rows,
  )
}

/** Nothing where it would have no rows. */
function section(rows: readonly (readonly string[])[], columns: readonly Titled[]): string[] {
  return rows.length === 0 ? [] : ['', table(columns, rows)]
}

function more(count: number): string[] {
  return count > 0 ? [`and ${grouped(count)} more`] : []
}

function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}
