/** How the relay reads a host's answer: one reader per form of answer, each told the pieces as they come. */
import type { HeaderFields } from '../wire/headers.ts'
import type { Failure } from './failure.ts'

/** The media type of a stream. */
export const eventStream = 'text/event-stream'

export interface AnswerReader {
  /** Its frames show content as it is generated. */
  readonly isStream: boolean
  data(chunk: Buffer): void
  /** The host ended its answer in the way HTTP knows as whole. */
  end(): void
  /** The connection broke, or a clock ran out: what should the client be told of it? */
  broke(failure: Failure): void
}

/** What a reader may do; exactly one of `complete` and `fail` ends its work. */
export interface AnswerSink {
  /** Sends status and headers to the client, once, before the first `write`. */
  commit(status: number, headers: Readonly<Record<string, string>>): void
  write(bytes: Buffer): void
  /** Something was generated at `nowMs`, monotonic: the clocks start over. */
  content(nowMs: number): void
  /** What has come ends inside a frame that began just now: it must be whole in time, however its bytes trickle. */
  frameBegun(): void
  /** No frame is open any more. */
  frameWhole(): void
  /** Nothing decisive is to come any more: the host gets this long to end its answer by itself. */
  expectEnd(withinMs: number): void
  /** The answer is whole; `last` is sent before the end. */
  complete(last?: Buffer): void
  /** The answer is not whole and will not be. */
  fail(failure: Failure): void
}

export interface AnswerHead {
  readonly status: number
  readonly headers: HeaderFields
  /** Lower case, without parameters. */
  readonly mediaType: string
}
