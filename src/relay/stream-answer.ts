/**
 * Relays an SSE answer frame by frame, byte for byte.
 *
 * What comes before the first content is held, so that a stream which fails until then still gets its true status;
 * from then on every whole frame goes out in the turn of the event loop in which it arrived.
 */
import { GatewayError } from '../base/errors.ts'
import type { Meter } from '../metering/meter.ts'
import { type Dialect, frameJson } from '../wire/dialect.ts'
import { headersToClient } from '../wire/headers.ts'
import { FrameTooLargeError, SseScanner } from '../wire/sse-scanner.ts'
import type { FrameRole, StreamProgress } from '../wire/stream-progress.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { errorFromHostObject } from './host-error.ts'

/** After `[DONE]` nothing can follow; a connection that stays open is closed. */
const afterDoneMs = 50
/** After the last finish reason only usage and `[DONE]` can follow. */
const afterFinishMs = 5_000

const lineEnd = Buffer.from('\n')

/** A proxy in front of us must not buffer either; nginx has no other way to learn it. */
const streamHeaders = { 'cache-control': 'no-cache', 'x-accel-buffering': 'no' }

export interface StreamAnswerParts {
  readonly head: AnswerHead
  readonly dialect: Dialect
  readonly progress: StreamProgress
  readonly meter: Meter
  readonly sink: AnswerSink
  readonly frameBytesMax: number
  /** Usage was asked for on the gateway's own account, so the frame with it is not the client's. */
  readonly dropUsageFrame: boolean
}

export class StreamAnswer implements AnswerReader {
  readonly #parts: StreamAnswerParts
  readonly #scanner: SseScanner
  readonly #held: Buffer[] = []
  #heldBytes = 0
  #committed = false
  #over = false

  constructor(parts: StreamAnswerParts) {
    this.#parts = parts
    this.#scanner = new SseScanner(parts.dialect.keys, parts.frameBytesMax)
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#scanner.feed(chunk)
      this.#passFrames()
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error
      this.#fail(new GatewayError('upstream_bad_response', 'The host sent a frame larger than the limit.'))
    }
  }

  end(): void {
    if (this.#over) return
    this.#passRest()
    if (!this.#over)
      this.#endOr(new GatewayError('upstream_truncated', 'The host ended its answer before it was complete.'))
  }

  broke(error: GatewayError): void {
    if (!this.#over) this.#endOr(error)
  }

  /** Frames that pass one after the other go out in one write; a frame that does not pass ends such a run. */
  #passFrames(): void {
    const { progress } = this.#parts
    const scanner = this.#scanner
    let runStart = -1
    try {
      while (!this.#over && scanner.next()) {
        const role = progress.see(scanner)
        if (role === 'done' || role === 'error' || (role === 'usage' && this.#parts.dropUsageFrame)) {
          this.#flush(runStart, scanner.frameStart)
          runStart = -1
          this.#act(role)
          continue
        }
        if (runStart === -1) runStart = scanner.frameStart
        this.#note(role)
      }
    } finally {
      // Frames that arrived whole go out, even when the one behind them is too large.
      this.#flush(runStart, scanner.frameEnd)
    }
  }

  /** What a frame that passes brings about. */
  #note(role: FrameRole): void {
    const { progress, sink, meter, dialect } = this.#parts
    if (role === 'content') {
      meter.content()
      sink.content()
    }
    // The first frame that matters: from here on nothing is held. In a stream that is not read any frame may matter.
    if (!this.#committed && (role !== 'other' || dialect.name === 'none')) this.#commit()
    if (role !== 'other' && progress.complete) sink.expectEnd(afterFinishMs)
  }

  /** What a frame that does not pass as it is brings about. */
  #act(role: Exclude<FrameRole, 'content' | 'finish' | 'other'>): void {
    switch (role) {
      case 'usage':
        break
      case 'error':
        this.#fail(errorFromHostObject(this.#parts.progress.error))
        break
      case 'done':
        this.#whole(this.#scanner.buffer.subarray(this.#scanner.frameStart, this.#scanner.frameEnd))
        break
    }
  }

  #flush(start: number, end: number): void {
    if (start === -1 || this.#over) return
    const bytes = this.#scanner.buffer.subarray(start, end)
    if (this.#committed) {
      this.#parts.sink.write(bytes)
      return
    }
    this.#heldBytes += bytes.length
    // Copied, since the piece of the read it stands in may be large and what is held may wait long.
    this.#held.push(Buffer.from(bytes))
    if (this.#heldBytes > this.#parts.frameBytesMax) {
      this.#fail(new GatewayError('upstream_bad_response', 'The host sent too much before any content.'))
    }
  }

  #commit(): void {
    this.#committed = true
    this.#parts.sink.commit(this.#parts.head.status, { ...headersToClient(this.#parts.head.headers), ...streamHeaders })
    if (this.#held.length > 0) this.#parts.sink.write(Buffer.concat(this.#held))
    this.#held.length = 0
  }

  /**
   * `[DONE]`: the answer ends here, whatever the host does with the connection. A host that ignores `n` finishes fewer
   * choices than were asked for, so beside this mark it is enough that those finished which were begun.
   */
  #whole(doneFrame: Buffer): void {
    const { progress, sink, dialect } = this.#parts
    if (!progress.finishedAllSeen && dialect.name !== 'none') {
      this.#fail(new GatewayError('upstream_truncated', 'The host ended its answer before it was complete.'))
      return
    }
    if (!this.#committed) this.#commit()
    this.#over = true
    sink.expectEnd(afterDoneMs)
    sink.complete(doneFrame)
  }

  /** A last frame without its empty line gets the line ends it lacks; one that is cut off would break a client's parser. */
  #passRest(): void {
    if (!isWhole(this.#scanner.rest())) return
    for (let added = 0; added < 2 && this.#scanner.rest().length > 0; added++) this.data(lineEnd)
  }

  #endOr(error: GatewayError): void {
    const { progress, sink, dialect } = this.#parts
    // A dialect without marks of its own is whole when HTTP says so.
    const complete = progress.complete || (dialect.name === 'none' && error.code === 'upstream_truncated')
    if (!complete) {
      this.#fail(error)
      return
    }
    if (!this.#committed) this.#commit()
    this.#over = true
    sink.complete(dialect.lastFrame === null ? undefined : Buffer.from(dialect.lastFrame))
  }

  #fail(error: GatewayError): void {
    if (this.#over) return
    this.#over = true
    this.#parts.sink.fail(error)
  }
}

function isWhole(frame: Buffer): boolean {
  return frameJson(frame) !== undefined || /(?:^|[\r\n])data: ?\[DONE\]/.test(frame.toString('latin1'))
}
