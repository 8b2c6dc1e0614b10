/** The line as people read it. */
import type { LineHost, LineView } from '../queue/line-view-schema.ts'
import { loadText, type WaitedLoad } from './load-text.ts'
import { printable } from './printable.ts'
import { counted, grouped, more, percent, right, secondsText, section } from './text-table.ts'

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
    ...loadTexts(requests),
  ].join('\n')
}

/** Each once, however many wait for it. */
function loadTexts(requests: LineView['requests']): string[] {
  const loads = new Map<string, WaitedLoad>()
  for (const { load } of requests) if (load !== null) loads.set(`${load.host} ${load.model}`, load)
  return loads.size === 0 ? [] : ['', ...[...loads.values()].map((load) => printable(loadText(load)))]
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
