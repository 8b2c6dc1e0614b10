/**
 * Reads a stream for a client that asked for none: what comes is watched as in any stream, and put together into one
 * JSON answer, which is sent only when whole, so that every failure has its true status.
 */
import { GatewayError } from '../base/errors.ts'
import type { Meter } from '../metering/meter.ts'
import { AnswerAssembly } from '../wire/assembly/answer-assembly.ts'
import { AssemblyTooLargeError } from '../wire/assembly/assembly-size.ts'
import { type Dialect, frameJson } from '../wire/dialect.ts'
import { headersToClient } from '../wire/headers.ts'
import { type InBandError, inBandError } from '../wire/in-band-error.ts'
import { isObject, type JsonObject } from '../wire/json-value.ts'
import { FrameTooLargeError, SseScanner } from '../wire/sse-scanner.ts'
import type { FrameRole, StreamProgress } from '../wire/stream-progress.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { Failure, type FailureCause, truncated } from './failure.ts'
import { failureFromHostObject, failureFromText } from './host-error.ts'
import type { Receipt } from './receipt.ts'
import { afterDoneMs, afterFinishMs, FrameWatch, isWhole } from './stream-ends.ts'

/** Ends the line and the frame, whatever of it came already. */
const frameEnd = Buffer.from('\n\n')

export interface AssembledAnswerParts {
  readonly head: AnswerHead
  /** Of chat or completions. */
  readonly dialect: Dialect
  readonly progress: StreamProgress
  readonly meter: Meter
  readonly sink: AnswerSink
  readonly frameBytesMax: number
  readonly assembledBytesMax: number
  /** The host writes its errors into the text of an answer: a piece that may be one waits for the frame behind it. */
  readonly errorsInText: boolean
  /** Null where none is asked for. */
  readonly receipt: Receipt | null
}

export class AssembledAnswer implements AnswerReader {
  readonly isStream = true
  readonly #parts: AssembledAnswerParts
  readonly #scanner: SseScanner
  readonly #frames: FrameWatch
  readonly #assembly: AnswerAssembly
  /** A chunk of text that is an error of the host if the next one ends its choice. */
  #suspect: { readonly chunk: JsonObject; readonly error: InBandError } | null = null
  #over = false

  constructor(parts: AssembledAnswerParts) {
    this.#parts = parts
    this.#scanner = new SseScanner(parts.dialect.keys, parts.frameBytesMax)
    this.#frames = new FrameWatch(this.#scanner, parts.sink)
    this.#assembly = new AnswerAssembly(parts.dialect.name, parts.assembledBytesMax)
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    try {
      this.#scanner.feed(chunk)
      let frames = 0
      for (; !this.#over && this.#scanner.next(); frames++) this.#takeFrame()
      if (!this.#over) this.#frames.tell(frames)
    } catch (error) {
      const problem = overBound(error)
      if (problem === null) throw error
      this.#fail(failureOf('over_bound', problem))
    }
  }

  end(): void {
    if (this.#over) return
    // A last frame may lack its empty line; one that is cut off is no part of the answer.
    if (isWhole(this.#scanner.rest())) this.data(frameEnd)
    this.#endOr(truncated())
  }

  broke(failure: Failure): void {
    this.#endOr(failure)
  }

  #takeFrame(): void {
    const role = this.#parts.progress.see(this.#scanner)
    if (this.#suspect !== null) this.#judgeSuspect()
    if (this.#over) return
    switch (role) {
      case 'error':
        this.#fail(failureFromHostObject(this.#parts.progress.error))
        break
      case 'done':
        this.#done()
        break
      default:
        this.#takeChunk(role)
    }
  }

  #takeChunk(role: FrameRole): void {
    const frame = this.#scanner.buffer.subarray(this.#scanner.frameStart, this.#scanner.frameEnd)
    if (role === 'other' && !hasData(frame)) return
    const chunk = frameJson(frame)
    if (!isObject(chunk)) {
      // It cannot be passed on for the client to judge, and without it the answer would have a hole that nobody sees.
      this.#fail(failureOf('bad_answer', 'The host sent a frame that is not JSON.'))
      return
    }
    const error = role === 'content' && this.#parts.errorsInText ? inBandError(frame) : null
    if (error === null) this.#add(chunk, role)
    else this.#suspect = { chunk, error }
  }

  #add(chunk: JsonObject, role: FrameRole): void {
    const { progress, meter, sink } = this.#parts
    this.#assembly.add(chunk)
    if (role === 'content') {
      sink.content(meter.content())
    }
    if (role !== 'other' && progress.complete) sink.expectEnd(afterFinishMs)
  }

  /** The frame behind it has come: an end of its choice makes it an error of the host, anything else makes it text. */
  #judgeSuspect(): void {
    const suspect = this.#suspect
    if (suspect === null) return
    this.#suspect = null
    if (this.#parts.progress.ends(suspect.error.choice)) this.#fail(failureFromText(suspect.error.message))
    else this.#add(suspect.chunk, 'content')
  }

  /** A host that ignores `n` tells fewer choices than were asked for; with `[DONE]` it is enough that those finished which there are. */
  #done(): void {
    if (this.#assembly.finished) this.#send()
    else this.#fail(truncated())
  }

  #endOr(failure: Failure): void {
    if (this.#over) return
    if (this.#parts.progress.complete && this.#assembly.finished) this.#send()
    else this.#fail(failure)
  }

  #send(): void {
    const { head, sink, receipt } = this.#parts
    this.#over = true
    const body = this.#assembly.json()
    sink.commit(head.status, {
      ...headersToClient(head.headers),
      'content-type': 'application/json',
      'content-length': String(body.length),
      'x-lmx-gateway-assembled': 'true',
      ...receipt?.headers(true),
    })
    sink.expectEnd(afterDoneMs)
    sink.complete(body)
  }

  #fail(failure: Failure): void {
    if (this.#over) return
    this.#over = true
    this.#parts.sink.fail(failure)
  }
}

function failureOf(cause: FailureCause, message: string): Failure {
  return new Failure(cause, new GatewayError('upstream_bad_response', message))
}

function overBound(error: unknown): string | null {
  if (error instanceof FrameTooLargeError) return 'The host sent a frame larger than the limit.'
  if (error instanceof AssemblyTooLargeError) return 'The host sent an answer larger than the limit.'
  return null
}

/** Comments and empty data are what a host says to keep the connection. */
function hasData(frame: Buffer): boolean {
  return /(?:^|[\r\n])(?:\xEF\xBB\xBF)?data:[ \t]*\S/.test(frame.toString('latin1'))
}
