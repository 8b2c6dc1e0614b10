/** What doubles and clients know of one request, by their own clock; the gateway has no part in it. */

/** All times are Unix milliseconds with a fraction, those of hosts and clients by one clock. */
export interface KnownRequest {
  readonly id: number
  readonly kind: RequestKind
  readonly model: string
  /** Name of the key. */
  readonly key: string
  sentMs: number
  /** When the client had the first content of a stream. */
  firstContentMs: number | null
  /** When the client had all, or left. */
  endedMs: number | null
  /** Null: it left before there was one. */
  status: number | null
  /** Null: it never got to one. */
  host: string | null
  arrivedMs: number | null
  /** When the host sent each token; those of a whole answer went at once. */
  readonly tokensAtMs: number[]
  hostEndedMs: number | null
}

/** leaver: a stream whose client goes away in the middle, or while it waits. */
export type RequestKind = 'chat_stream' | 'completion_stream' | 'whole' | 'leaver'

export function isStream({ kind }: Pick<KnownRequest, 'kind'>): boolean {
  return kind !== 'whole'
}

/** Of a process that measures with it alone. */
export function unixMs(): number {
  return performance.timeOrigin + performance.now()
}
