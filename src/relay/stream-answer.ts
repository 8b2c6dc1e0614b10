/**
 * Relays an SSE answer frame by frame, byte for byte.
 *
 * What comes before the first content is held, so that a stream which fails until then still gets its true status;
 * from then on every whole frame goes out in the turn of the event loop in which it arrived. A receipt that was asked for
 * stands before the mark that ends the answer, in one write with it.
 */
import { GatewayError } from '../base/errors.ts'
import type { Meter } from '../metering/meter.ts'
import type { Dialect } from '../wire/dialect.ts'
import { headersToClient } from '../wire/headers.ts'
import { type InBandError, inBandError } from '../wire/in-band-error.ts'
import { FrameTooLargeError, SseScanner } from '../wire/sse-scanner.ts'
import type { FrameRole, StreamProgress } from '../wire/stream-progress.ts'
import { type AnswerHead, type AnswerReader, type AnswerSink, eventStream } from './answer-reader.ts'
import { Failure, truncated } from './failure.ts'
import { failureFromHostObject, failureFromText } from './host-error.ts'
import type { Receipt } from './receipt.ts'
import { afterDoneMs, afterFinishMs, FrameWatch, isWhole } from './stream-ends.ts'

const lineEnd = Buffer.from('\n')

/** One such frame is the client's to judge, as it would be without us; a host that sends only such has lost its way. */
const badFramesInARowMax = 2

const byteOrderMark = Buffer.from('\uFEFF')
const streamType = 'text/event-stream; charset=utf-8'

/** A proxy in front of us must not buffer either; nginx has no other way to learn it. */
export const streamHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-cache',
  'x-accel-buffering': 'no',
}

export interface StreamAnswerParts {
  readonly head: AnswerHead
  readonly dialect: Dialect
  readonly progress: StreamProgress
  readonly meter: Meter
  readonly sink: AnswerSink
  readonly frameBytesMax: number
  /** Usage was asked for on the gateway's own account, so the frame with it is not the client's. */
  readonly dropUsageFrame: boolean
  /** The host writes its errors into the text of an answer: a piece that may be one waits for the frame behind it. */
  readonly errorsInText: boolean
  /** Status and headers are out already: heartbeats stand before the answer. */
  readonly headersSent: () => boolean
  /** Null where none is asked for. */
  readonly receipt: Receipt | null
}

export class StreamAnswer implements AnswerReader {
  readonly isStream = true
  readonly #parts: StreamAnswerParts
  readonly #scanner: SseScanner
  readonly #frames: FrameWatch
  readonly #held: Buffer[] = []
  #heldBytes = 0
  /** A frame of text that is an error of the host if the next one ends its choice. */
  #suspect: { readonly frame: Buffer; readonly error: InBandError } | null = null
  #committed = false
  /** Something stands before the next bytes, so that a byte order mark would not be at the beginning. */
  #behindHeartbeats = false
  /** Until it is given. */
  #receipt: Receipt | null
  #over = false

  constructor(parts: StreamAnswerParts) {
    this.#parts = parts
    this.#scanner = new SseScanner(parts.dialect.keys, parts.frameBytesMax)
    this.#frames = new FrameWatch(this.#scanner, parts.sink)
    this.#receipt = parts.receipt
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#scanner.feed(chunk)
      const frames = this.#passFrames()
      if (!this.#over) this.#frames.tell(frames)
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error
      this.#fail(overBound('The host sent a frame larger than the limit.'))
    }
  }

  end(): void {
    if (this.#over) return
    this.#passRest()
    this.#leaveSuspect()
    if (!this.#over) this.#endOr(truncated())
  }

  broke(failure: Failure): void {
    if (this.#over) return
    this.#leaveSuspect()
    this.#endOr(failure)
  }

  /** Frames that pass one after the other go out in one write; a frame that does not pass ends such a run. Returns how many there were. */
  #passFrames(): number {
    const { progress } = this.#parts
    const scanner = this.#scanner
    let runStart = -1
    let frames = 0
    try {
      while (!this.#over && scanner.next()) {
        frames++
        const role = progress.see(scanner)
        if (this.#suspect !== null) this.#judgeSuspect(role)
        if (this.#over) break
        if (this.#passesAsItIs(role)) {
          if (runStart === -1) runStart = scanner.frameStart
          this.#note(role)
          continue
        }
        this.#flush(runStart, scanner.frameStart)
        runStart = -1
        this.#act(role)
      }
    } finally {
      // Frames that arrived whole go out, even when the one behind them is too large.
      this.#flush(runStart, scanner.frameEnd)
    }
    return frames
  }

  #passesAsItIs(role: FrameRole): boolean {
    switch (role) {
      case 'done':
      case 'error':
        return false
      case 'usage':
        return !this.#parts.dropUsageFrame
      case 'content':
        return !this.#parts.errorsInText || inBandError(this.#frame()) === null
      case 'other':
        return this.#parts.progress.badFramesInARow <= badFramesInARowMax
      case 'finish':
        // An event that ends the whole answer has the receipt before it.
        return this.#receipt === null || !this.#parts.progress.ended
    }
  }

  #frame(): Buffer {
    return this.#scanner.buffer.subarray(this.#scanner.frameStart, this.#scanner.frameEnd)
  }

  /**
   * The frame behind it has come: an end of its choice makes it an error of the host, and so does a last mark without one; anything
   * else makes it text.
   */
  #judgeSuspect(role: FrameRole): void {
    const { progress } = this.#parts
    const error = this.#suspect?.error
    if (error === undefined) return
    const isLast = progress.ends(error.choice) || (role === 'done' && !progress.finishedAllSeen)
    if (isLast) this.#fail(failureFromText(error.message))
    else if (role === 'error') this.#leaveSuspect()
    else this.#releaseSuspect()
  }

  /** The answer broke off behind it. Where nothing was sent yet it stays here, so that another host can still answer. */
  #leaveSuspect(): void {
    if (this.#committed || this.#parts.progress.complete) this.#releaseSuspect()
    else this.#suspect = null
  }

  #releaseSuspect(): void {
    const suspect = this.#suspect
    if (suspect === null || this.#over) return
    this.#suspect = null
    this.#note('content')
    this.#pass(suspect.frame)
  }

  /** What a frame that passes brings about. */
  #note(role: FrameRole): void {
    const { progress, sink, meter, dialect } = this.#parts
    if (role === 'content') {
      sink.content(meter.content())
    }
    // The first frame that matters: from here on nothing is held. In a stream that is not read any frame may matter.
    if (!this.#committed && (role !== 'other' || dialect.name === 'none')) this.#commit()
    if (role !== 'other' && progress.complete) sink.expectEnd(progress.ended ? afterDoneMs : afterFinishMs)
  }

  /** What a frame that does not pass as it is brings about. */
  #act(role: FrameRole): void {
    switch (role) {
      case 'content': {
        const frame = Buffer.from(this.#frame())
        const error = inBandError(frame)
        if (error !== null) this.#suspect = { frame, error }
        break
      }
      case 'error':
        this.#fail(failureFromHostObject(this.#parts.progress.error))
        break
      case 'done':
        this.#whole(this.#frame())
        break
      case 'other':
        this.#fail(badAnswer('The host sent frames that are not JSON.'))
        break
      case 'finish':
        this.#note(role)
        this.#pass(this.#withReceipt(this.#frame()))
        break
      case 'usage':
        break
    }
  }

  #flush(start: number, end: number): void {
    if (start === -1) return
    const { buffer } = this.#scanner
    // Most reads are whole frames and nothing else.
    this.#pass(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end))
  }

  #pass(bytes: Buffer): void {
    if (this.#over) return
    if (this.#committed) {
      this.#write(bytes)
      return
    }
    this.#heldBytes += bytes.length
    // Copied, since the piece of the read it stands in may be large and what is held may wait long.
    this.#held.push(Buffer.from(bytes))
    if (this.#heldBytes > this.#parts.frameBytesMax) {
      this.#fail(overBound('The host sent too much before any content.'))
    }
  }

  #commit(): void {
    const { sink, head, headersSent } = this.#parts
    this.#committed = true
    this.#behindHeartbeats = headersSent()
    // A stream that its host calls by another name, or by none, is one all the same.
    const headers = { ...headersToClient(head.headers), ...streamHeaders }
    if (head.mediaType !== eventStream) headers['content-type'] = streamType
    sink.commit(head.status, headers)
    if (this.#held.length > 0) this.#write(Buffer.concat(this.#held))
    this.#held.length = 0
  }

  #write(bytes: Buffer): void {
    const marked = this.#behindHeartbeats && bytes.indexOf(byteOrderMark) === 0
    this.#behindHeartbeats = false
    this.#parts.sink.write(marked ? bytes.subarray(byteOrderMark.length) : bytes)
  }

  /**
   * `[DONE]`: the answer ends here, whatever the host does with the connection. A host that ignores `n` finishes fewer
   * choices than were asked for, so beside this mark it is enough that those finished which were begun.
   */
  #whole(doneFrame: Buffer): void {
    const { progress, sink, dialect } = this.#parts
    if (!progress.finishedAllSeen && dialect.name !== 'none') {
      this.#fail(truncated())
      return
    }
    if (!this.#committed) this.#commit()
    this.#over = true
    sink.expectEnd(afterDoneMs)
    sink.complete(this.#withReceipt(doneFrame))
  }

  #withReceipt(last: Buffer): Buffer {
    const receipt = this.#receipt
    this.#receipt = null
    return receipt === null ? last : Buffer.concat([receipt.comment(), last])
  }

  /** A last frame without its empty line gets the line ends it lacks; one that is cut off would break a client's parser. */
  #passRest(): void {
    if (!isWhole(this.#scanner.rest())) return
    for (let added = 0; added < 2 && this.#scanner.restBytes > 0; added++) this.data(lineEnd)
  }

  #endOr(failure: Failure): void {
    const { progress, sink, dialect } = this.#parts
    // A dialect without marks of its own is whole when HTTP says so.
    const complete = progress.complete || (dialect.name === 'none' && failure.error.code === 'upstream_truncated')
    if (!complete) {
      this.#fail(failure)
      return
    }
    if (!this.#committed) this.#commit()
    this.#over = true
    const last = this.#withReceipt(Buffer.from(dialect.lastFrame ?? ''))
    sink.complete(last.length === 0 ? undefined : last)
  }

  #fail(failure: Failure): void {
    if (this.#over) return
    this.#over = true
    this.#parts.sink.fail(failure)
  }
}

function overBound(message: string): Failure {
  return new Failure('over_bound', new GatewayError('upstream_bad_response', message))
}

function badAnswer(message: string): Failure {
  return new Failure('bad_answer', new GatewayError('upstream_bad_response', message))
}
