/** Figures of a window of time, from what hosts and clients know: what the rules of Prometheus must agree with. */
import { isStream, type KnownRequest } from './known-request.ts'

/** Between two scrapes: Unix milliseconds; what happens at `fromMs` itself is before it. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
  /** What happens so close to either scrape may be on either side of it: so long they took. */
  readonly slackMs: number
}

/** The two are one where no scrape can have cut anything in two. */
export interface Known {
  readonly least: number
  readonly most: number
}

type Requests = readonly KnownRequest[]

/** Tokens that hosts sent, per second of wall time. */
export function tokensPerSecond(requests: Requests, { fromMs, toMs, slackMs }: Span): Known {
  const perSecond = (span: Pick<Span, 'fromMs' | 'toMs'>) => (tokensIn(requests, span) * 1000) / (toMs - fromMs)
  return {
    least: perSecond({ fromMs: fromMs + slackMs, toMs: toMs - slackMs }),
    most: perSecond({ fromMs: fromMs - slackMs, toMs: toMs + slackMs }),
  }
}

function tokensIn(requests: Requests, span: Pick<Span, 'fromMs' | 'toMs'>): number {
  let tokens = 0
  for (const { tokensAtMs } of requests) for (const atMs of tokensAtMs) if (isIn(span, atMs)) tokens += 1
  return tokens
}

/** Tokens behind the first of each stream, per second between each of them and the one before: how fast hosts sent, not until when. */
export function streamSpeed(requests: Requests, span: Span): Known {
  let tokens = 0
  let ms = 0
  for (const request of requests) {
    if (!isStream(request)) continue
    let beforeMs: number | null = null
    for (const atMs of request.tokensAtMs) {
      if (beforeMs !== null && isIn(span, atMs)) {
        tokens += 1
        ms += atMs - beforeMs
      }
      beforeMs = atMs
    }
  }
  const perSecond = (tokens * 1000) / ms
  return { least: perSecond, most: perSecond }
}

/** Answers that one host made at once while it made any: streams since their first token, whole answers since they arrived. */
export function meanBatch(requests: Requests, span: Span): Known {
  const made = requests
    .map(({ kind, tokensAtMs: [firstMs], arrivedMs, hostEndedMs }) => ({
      fromMs: Math.max(span.fromMs, (isStream({ kind }) ? firstMs : arrivedMs) ?? span.toMs),
      toMs: Math.min(span.toMs, hostEndedMs ?? span.toMs),
    }))
    .toSorted((a, b) => a.fromMs - b.fromMs)
  let answersMs = 0
  let generatingMs = 0
  let countedToMs = span.fromMs
  for (const { fromMs, toMs } of made) {
    answersMs += Math.max(0, toMs - fromMs)
    generatingMs += Math.max(0, toMs - Math.max(fromMs, countedToMs))
    countedToMs = Math.max(countedToMs, toMs)
  }
  const batch = answersMs / generatingMs
  return { least: batch, most: batch }
}

/** Seconds from sending to first content, as clients saw it, of streams that had it in the span. */
export function firstTokenSeconds(requests: Requests, span: Span): readonly number[] {
  return requests.flatMap(({ sentMs, firstContentMs }) =>
    firstContentMs !== null && isIn(span, firstContentMs) ? [(firstContentMs - sentMs) / 1000] : [],
  )
}

/** Seconds from sending until a host had it, of requests that a host got in the span. */
export function waitSeconds(requests: Requests, span: Span): readonly number[] {
  return requests.flatMap(({ sentMs, arrivedMs }) =>
    arrivedMs !== null && isIn(span, arrivedMs) ? [(arrivedMs - sentMs) / 1000] : [],
  )
}

function isIn({ fromMs, toMs }: Pick<Span, 'fromMs' | 'toMs'>, atMs: number | null): boolean {
  return atMs !== null && atMs > fromMs && atMs <= toMs
}

export function quantileOf(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(q * sorted.length)))
  return sorted[rank - 1] ?? Number.NaN
}
