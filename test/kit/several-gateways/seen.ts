/** What clients and hosts know of the requests of a load, by one clock of theirs: gateways have no part in it. */

/** Unix milliseconds with a fraction. */
export function unixMs(): number {
  return performance.timeOrigin + performance.now()
}

/** whole: to its very end. cut: its beginning alone. refused: answered otherwise than asked. failed: not answered. left: its client went away. */
export type Outcome = 'whole' | 'cut' | 'refused' | 'failed' | 'left'

/** By a client. */
export interface SeenRequest {
  /** Sent as x-request-id; each request has its own. */
  readonly id: string
  readonly group: string
  /** Name of its key. */
  readonly key: string
  readonly sentMs: number
  status: number | null
  /** When its client had all, or went away. */
  endedMs: number | null
  outcome: Outcome | null
  /** What the answer, or the system, calls the failure. */
  code: string | null
  /** Tokens of the answer that came. */
  output: number
}

/** By a host. */
export interface HostedRequest {
  readonly id: string
  readonly host: string
  readonly arrivedMs: number
  /** Null: it runs. */
  readonly endedMs: number | null
  readonly endedBy: string | null
  /** As `usage` counts them. */
  readonly input: number
  readonly output: number
  /** When it sent its tokens, and how many. */
  readonly tokens: readonly (readonly [atMs: number, tokens: number])[]
}

export interface Truth {
  readonly seen: readonly SeenRequest[]
  readonly hosted: readonly HostedRequest[]
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

export const always: Span = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }

/** The most that were there at once within a time; what ends when another begins is not there beside it. */
export function atOnceMax(spans: readonly Span[], within = always): number {
  const changes = spans
    .map(({ fromMs, toMs }) => ({ fromMs: Math.max(fromMs, within.fromMs), toMs: Math.min(toMs, within.toMs) }))
    .filter(({ fromMs, toMs }) => toMs > fromMs)
    .flatMap(({ fromMs, toMs }) => [
      { atMs: fromMs, by: 1 },
      { atMs: toMs, by: -1 },
    ])
    .toSorted((a, b) => a.atMs - b.atMs || a.by - b.by)
  let now = 0
  let most = 0
  for (const { by } of changes) {
    now += by
    most = Math.max(most, now)
  }
  return most
}

export interface Amount {
  readonly atMs: number
  readonly amount: number
}

/** Of all windows of time, long or short, the most that one has beyond what a steady rate gives it: what was there at once. */
export function burstOf(amounts: readonly Amount[], perMinute: number, within = always): number {
  let level = 0
  let most = 0
  let lastMs = Number.NEGATIVE_INFINITY
  for (const { atMs, amount } of inOrder(amounts)) {
    if (atMs < within.fromMs || atMs >= within.toMs) continue
    level = Math.max(0, level - ((atMs - lastMs) * perMinute) / minuteMs) + amount
    lastMs = atMs
    most = Math.max(most, level)
  }
  return most
}

export function sumOf(amounts: readonly Amount[], within = always): number {
  const inside = amounts.filter(({ atMs }) => atMs >= within.fromMs && atMs < within.toMs)
  return inside.reduce((sum, { amount }) => sum + amount, 0)
}

const minuteMs = 60_000

/** Of all windows of 60 s the one that has most. */
export function worstMinute(amounts: readonly Amount[]): number {
  const sorted = inOrder(amounts)
  let first = 0
  let sum = 0
  let most = 0
  for (const { atMs, amount } of sorted) {
    sum += amount
    while (atMs - sorted[first]!.atMs >= minuteMs) {
      sum -= sorted[first]!.amount
      first += 1
    }
    most = Math.max(most, sum)
  }
  return most
}

function inOrder(amounts: readonly Amount[]): readonly Amount[] {
  return amounts.toSorted((a, b) => a.atMs - b.atMs)
}
