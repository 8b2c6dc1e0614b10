/** What time a question about usage is about: days as people write them, in the zone whose calendar counts. */
import { GatewayError } from '../base/errors.ts'

export interface UsageRange {
  /** Wall-clock milliseconds since the epoch; from inclusive, to exclusive, null for no end. */
  readonly fromMs: number | null
  readonly toMs: number | null
}

const dayMs = 86_400_000

/**
 * Both may be `2026-11-01`, `today`, `yesterday`, so many days ago as `30d`, or a time with its zone; a day as `to` is
 * included whole. Without `from` it begins with this month. Throws a GatewayError whose param says which is wrong.
 */
export function usageRange(
  text: { readonly from: string | null; readonly to: string | null },
  zone: { readonly timeZone: string; readonly nowMs: number },
): UsageRange {
  const today = dayOf(zone.nowMs, zone.timeZone)
  const thisMonth = `${today.slice(0, 7)}-01`
  const fromMs = instant(text.from ?? thisMonth, zone, false)
  const toMs = text.to === null ? null : instant(text.to, zone, true)
  if (toMs !== null && toMs <= fromMs)
    throw new GatewayError('invalid_request', 'to must be later than what from says', { param: 'to' })
  return { fromMs, toMs }
}

function instant(text: string, { timeZone, nowMs }: { timeZone: string; nowMs: number }, isEnd: boolean): number {
  const day = namedDay(text, dayOf(nowMs, timeZone))
  if (day !== null) return startOf(isEnd ? after(day, 1) : day, timeZone)
  // Without a zone it would be read in that of this machine, which need not be the one whose days count.
  const zoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(text)
  const at = zoned ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(at)) return at
  const param = isEnd ? 'to' : 'from'
  const message = `${param} must be a day such as 2026-11-01, today, yesterday, 30d, or a time such as 2026-11-01T12:00:00Z`
  throw new GatewayError('invalid_request', message, { param })
}

/** The day that is meant, as `2026-11-01`; null where it is none. */
function namedDay(text: string, today: string): string | null {
  if (text === 'today') return today
  if (text === 'yesterday') return after(today, -1)
  const ago = /^(\d{1,5})d$/.exec(text)?.[1]
  if (ago !== undefined) return after(today, -Number(ago))
  const real = /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) && after(text, 0) === text
  return real ? text : null
}

function after(day: string, days: number): string {
  return new Date(Date.parse(day) + days * dayMs).toISOString().slice(0, 10)
}

/** The first instant of a day there: not all days begin at midnight, nor have 24 hours. */
function startOf(day: string, timeZone: string): number {
  let before = Date.parse(day) - dayMs
  let from = Date.parse(day) + dayMs
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2)
    if (dayOf(middle, timeZone) < day) before = middle
    else from = middle
  }
  return from
}

const formats = new Map<string, Intl.DateTimeFormat>()

function dayOf(atMs: number, timeZone: string): string {
  let format = formats.get(timeZone)
  if (format === undefined) {
    // Of Sweden, whose short dates are those of ISO 8601.
    format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short' })
    formats.set(timeZone, format)
  }
  return format.format(atMs)
}
