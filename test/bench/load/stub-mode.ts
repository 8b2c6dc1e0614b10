/** What the stub is told and tells: how its answers come, and what became of them. */

export interface StubMode {
  /** Between two events of one stream; 0: none comes after the first, so that the stream is idle. */
  readonly everyMs: number
  /** Streams that tick at the same moment, as the sequences of an engine do; null: spread over the milliseconds of `everyMs`. */
  readonly burst: number | null
  /** From the request to the first content, or to a whole answer. */
  readonly firstMs: number
  /** Of one event of a stream, about; at least `eventBytesMin`. */
  readonly eventBytes: number
  /** Events that leave in one write. */
  readonly eventsPerWrite: number
  /** Of a whole answer, about. */
  readonly answerBytes: number
}

export const usualMode: StubMode = {
  everyMs: 10,
  burst: null,
  firstMs: 0,
  eventBytes: 160,
  eventsPerWrite: 1,
  answerBytes: 800,
}

export type ToStub = { readonly ask: 'mode'; readonly mode: StubMode } | { readonly ask: 'counts' }

export interface StubCounts {
  readonly url: string
  /** Open connections, and streams that run on them. */
  readonly connections: number
  readonly streams: number
  /** Since the mode was set. */
  readonly requests: number
  readonly events: number
  readonly bodyBytes: number
  /** Streams whose reader is behind: nothing is sent to them until it has caught up. */
  readonly held: number
  /** Times that a stream was not sent an event when it was due, since the mode was set. */
  readonly heldEvents: number
  /** Streams whose client left before their end, since the mode was set. */
  readonly left: number
}
