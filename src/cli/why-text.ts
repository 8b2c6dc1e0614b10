/** Why a request went where it did, as people read it: each choice of a host, what was known of each, and how true it was. */
import { leftOutMeanings, reasonMeanings } from '../balancing/reasons.ts'
import type { ShownDecision } from '../http/admin/decision-schema.ts'
import type { EndedRequest } from '../http/admin/ended-request-schema.ts'
import type { ShownRequest } from '../http/admin/requests-schema.ts'
import type { LineView } from '../queue/line-view-schema.ts'
import { loadText } from './load-text.ts'
import { printable } from './printable.ts'
import { counted, grouped, percent, right, secondsText, table } from './text-table.ts'

export type WaitingNow = LineView['requests'][number]

/** `waiting`: its place in the line; null where it waits in none. */
export function whyText({ live, ended, decisions }: ShownRequest, waiting: WaitingNow | null): string {
  const parts = decisions.map((decision, at) => decisionText(decision, at + 1))
  if (live !== null) parts.push(liveText(live, waiting))
  if (ended !== null) parts.push(endText(ended))
  return [aboutText({ live, ended, decisions }), ...parts].join('\n\n')
}

function aboutText({ live, ended, decisions: [first] }: ShownRequest): string {
  const of = live ?? ended ?? first
  if (of === undefined) return ''
  const model = of.model ?? ended?.asked ?? 'no model that is known'
  const tokens =
    first === undefined
      ? ''
      : `; ${counted(first.inputTokens, 'token')} in and ${grouped(first.outputTokens)} out, as estimated`
  return printable(`${of.id} of ${of.key} (${of.class ?? 'no class'}): ${model}${tokens}`)
}

const columns = [
  '',
  'host',
  'slot',
  right('load'),
  right('cached'),
  right('to read'),
  right('first token'),
  right('running'),
  right('ahead in'),
  right('out'),
  right('tok/s in'),
  right('out'),
  right('score'),
]

function decisionText(decision: ShownDecision, number: number): string {
  const { at, host, policy, waitedMs, places, hold } = decision
  const what = hold === null ? host : `it waits for ${host}, which is full`
  const waited = waitedMs === 0 ? '' : `, after ${shortText(waitedMs)} in the line`
  return [
    printable(`${number}. ${what}: ${meaningOf(decision)}`),
    printable(`   ${policy}, of ${counted(places.length, 'place')}, ${at}${waited}`),
    '',
    indented(
      table(
        columns,
        places.map((place, index) => placeRow(place, index === 0)),
      ),
    ),
    ...(places.some(({ samples }) => samples === 0) ? ['   * assumed: nothing was learned yet'] : []),
    ...leftOutText(decision),
    ...holdText(decision),
    ...cameText(decision),
  ].join('\n')
}

function meaningOf({ reason }: ShownDecision): string {
  const meaning = new Map<string, string>(Object.entries(reasonMeanings)).get(reason)
  return meaning === undefined ? reason : `${meaning} (${reason})`
}

function placeRow(place: ShownDecision['places'][number], isChosen: boolean): string[] {
  const assumed = place.samples === 0 ? '*' : ''
  return [
    isChosen ? '>' : '',
    place.host,
    place.free ? 'free' : `in ${shortText(place.slotWaitMs)}`,
    place.loadMs === 0 ? '-' : shortText(place.loadMs),
    `${grouped(place.cachedTokens)}${place.home ? ' home' : ''}`,
    shortText(place.prefillMs),
    shortText(place.firstTokenMs),
    grouped(place.running),
    grouped(place.inputAhead),
    grouped(place.outputAhead),
    `${grouped(place.prefillTokensPerSecond)}${assumed}`,
    `${grouped(place.decodeTokensPerSecond)}${assumed}`,
    place.score === null ? (place.leftOut === null ? '-' : 'out') : grouped(place.score),
  ]
}

function leftOutText({ places }: ShownDecision): string[] {
  const meanings = new Map<string, string>(Object.entries(leftOutMeanings))
  return places.flatMap(({ host, leftOut }) =>
    leftOut === null ? [] : [printable(`   not ${host}: ${meanings.get(leftOut) ?? leftOut}`)],
  )
}

const holdEnds: Readonly<Record<string, string>> = {
  granted: 'it had its slot there',
  let_go: 'it took too long, and any host would do from then on',
  host_gone: 'the host takes nothing any more, and any other would do from then on',
  left: 'the request left the line',
}

function holdText({ hold }: ShownDecision): string[] {
  if (hold === null) return []
  const most = `   to wait for it is better for ${shortText(hold.waitMsMax)} at the most`
  if (hold.ended === null) return [`${most}; it still waits`]
  const { result, ms } = hold.ended
  return [printable(`${most}; after ${shortText(ms)} ${holdEnds[result] ?? result}`)]
}

/** How true it was. */
function cameText({ came, places: [chosen] }: ShownDecision): string[] {
  if (came === null) return []
  if (came.failure !== null)
    return [printable(`   it came to nothing after ${shortText(came.tookMs)}: ${came.failure}`)]
  const { firstTokenMs, cachedTokens, inputTokens, outputTokens, tookMs } = came
  return [
    ...(firstTokenMs === null || chosen === undefined
      ? []
      : [
          `   first token after ${shortText(firstTokenMs)}, predicted ${shortText(chosen.firstTokenMs)}${ratioText(firstTokenMs, chosen.firstTokenMs)}`,
        ]),
    ...(cachedTokens === null || chosen === undefined
      ? []
      : [
          `   ${grouped(cachedTokens)} of ${counted(inputTokens, 'token')} from its cache, predicted ${grouped(chosen.cachedTokens)}`,
        ]),
    `   ${counted(outputTokens, 'token')} written, ${shortText(tookMs)} at the host`,
  ]
}

function ratioText(was: number, predicted: number): string {
  return predicted === 0 ? '' : ` (${percent(was / predicted)} of that)`
}

function liveText(live: NonNullable<ShownRequest['live']>, waiting: WaitingNow | null): string {
  const since = `for ${secondsText(live.phaseMs)}`
  if (live.phase === 'limit')
    return `It waits for the limits of its key or address, ${since}: no host is looked for yet.`
  if (live.phase === 'reading') return `Its body is read, ${since}: no host is looked for yet.`
  if (live.phase !== 'line') return printable(`It is at ${live.host ?? 'a host'}, ${since} in the phase ${live.phase}.`)
  if (waiting === null) return `It waits in the line for a slot, ${since}.`
  const { position, aheadInKey, p50Ms, p90Ms, heldFor, excludedHosts, load } = waiting
  const told =
    p50Ms === null || p90Ms === null
      ? 'how long nobody knows yet'
      : `no longer than ${secondsText(p50Ms)} from now on in one of two cases, ${secondsText(p90Ms)} in nine of ten`
  return [
    `It waits in the line ${heldFor === null ? 'for a slot of any host' : `for ${heldFor}`}, ${since}: ${told}.`,
    `${counted(position, 'request')} ${position === 1 ? 'goes' : 'go'} before it, ${grouped(aheadInKey)} of its own key.`,
    ...(load === null ? [] : [loadText(load)]),
    ...(excludedHosts.length === 0 ? [] : [`It is not sent again to ${excludedHosts.join(', ')}.`]),
  ]
    .map(printable)
    .join('\n')
}

function endText({ status, end, error, attempts, durationMs }: EndedRequest): string {
  const what = error === null ? String(status) : `${status} ${error}`
  const never = attempts === 0 ? ': it was never sent to a host' : ''
  return printable(`It ended after ${shortText(durationMs)} with ${what} (${end})${never}.`)
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `   ${line}`)
    .join('\n')
}

function shortText(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : secondsText(ms)
}
