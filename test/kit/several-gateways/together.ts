/** What hosts and clients saw, for what must hold of all gateways together. */
import type { LedgerRow } from './ledgers.ts'
import type { Amount, HostedRequest, SeenRequest, Span, Truth } from './seen.ts'

/** Requests of some keys, and how hosts had them. */
export class Together {
  readonly #truth: Truth
  readonly #seen: ReadonlyMap<string, SeenRequest>

  constructor(truth: Truth) {
    this.#truth = truth
    this.#seen = new Map(truth.seen.map((one) => [one.id, one]))
  }

  /** What runs at hosts. */
  get running(): readonly HostedRequest[] {
    return this.#truth.hosted.filter(({ endedMs }) => endedMs === null)
  }

  /** Of each request once, when a host had it first. */
  requests(keys: readonly string[]): readonly Amount[] {
    const first = new Map<string, number>()
    for (const { id, arrivedMs } of this.#hostedOf(keys)) {
      first.set(id, Math.min(first.get(id) ?? Number.POSITIVE_INFINITY, arrivedMs))
    }
    return [...first.values()].map((atMs) => ({ atMs, amount: 1 }))
  }

  /** Of prompts when a host had them, of answers when it sent them. */
  tokens(keys: readonly string[]): readonly Amount[] {
    return this.#hostedOf(keys).flatMap(({ arrivedMs, input, tokens }) => [
      { atMs: arrivedMs, amount: input },
      ...tokens.map(([atMs, amount]) => ({ atMs, amount })),
    ])
  }

  atKeys(keys: readonly string[]): readonly Span[] {
    return this.#hostedOf(keys).map((one) => this.#spanOf(one))
  }

  atHost(host: string): readonly Span[] {
    return this.#truth.hosted.filter((one) => one.host === host).map((one) => this.#spanOf(one))
  }

  /** How requests ended, and how often so. */
  ends(requests = this.#truth.seen): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const one of requests) counts[endOf(one)] = (counts[endOf(one)] ?? 0) + 1
    return counts
  }

  /** Who was neither answered whole nor went away by himself, and was not told that his limit is reached. */
  failures(): readonly SeenRequest[] {
    return this.#truth.seen.filter((one) => !goodEnds.includes(endOf(one)))
  }

  /** Requests that a host had, against their rows of a ledger: what is wrong with them. */
  ledgerProblems(
    rows: readonly LedgerRow[],
    isExcused: (one: SeenRequest) => boolean = () => false,
  ): readonly string[] {
    const byRequest = new Map<string, LedgerRow[]>()
    for (const row of rows) byRequest.set(row.request_id, [...(byRequest.get(row.request_id) ?? []), row])
    return this.#truth.hosted.flatMap((hosted) => {
      const seen = this.#seen.get(hosted.id)
      if (seen === undefined || (seen.outcome !== 'whole' && seen.outcome !== 'left') || isExcused(seen)) return []
      const [row, ...others] = byRequest.get(hosted.id) ?? []
      if (row === undefined || others.length > 0)
        return [`${hosted.id} has ${row === undefined ? 0 : 1 + others.length} rows`]
      if (isCounted(row, seen, hosted)) return []
      const words = `${row.end} ${row.input} ${row.output} in the ledger`
      return [`${hosted.id} has ${words}, ${hosted.input} ${hosted.output} at its host, ${seen.output} at its client`]
    })
  }

  #hostedOf(keys: readonly string[]): readonly HostedRequest[] {
    return this.#truth.hosted.filter(({ id }) => keys.includes(this.#seen.get(id)?.key ?? ''))
  }

  /** Whose client went away holds nothing from then on, whenever its host sees that. */
  #spanOf({ id, arrivedMs, endedMs }: HostedRequest): Span {
    const seen = this.#seen.get(id)
    const leftMs = seen?.outcome === 'left' ? (seen.endedMs ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY
    return { fromMs: arrivedMs, toMs: Math.min(leftMs, endedMs ?? Number.POSITIVE_INFINITY) }
  }
}

/** Of a client that went away the gateway knows more than the client, and less than the host. */
function isCounted(row: LedgerRow, seen: SeenRequest, hosted: HostedRequest): boolean {
  if (seen.outcome === 'left') return row.end !== null && row.output >= seen.output && row.output <= hosted.output
  return row.end === '--' && row.input === hosted.input && row.output === hosted.output
}

export const goodEnds: readonly string[] = [
  'whole',
  'left',
  'refused 429 rate_limit_exceeded',
  'refused 429 concurrency_limit_exceeded',
]

function endOf({ outcome, status, code }: SeenRequest): string {
  return [outcome, outcome === 'refused' ? status : null, code].filter((word) => word !== null).join(' ')
}
