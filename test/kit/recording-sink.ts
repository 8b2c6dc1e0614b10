/** Stands for the attempt behind a reader of answers: keeps what the reader does, and fails when it breaks the rules. */

import type { GatewayError } from '../../src/base/errors.ts'
import type { AnswerSink } from '../../src/relay/answer-reader.ts'
import type { Failure } from '../../src/relay/failure.ts'

export class RecordingSink implements AnswerSink {
  head: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined
  /** One per write, the last bytes of the answer included. */
  readonly writes: string[] = []
  contents = 0
  /** What came so far ends inside a frame. */
  insideFrame = false
  framesBegun = 0
  /** The latest promise of the reader that nothing decisive is to come. */
  endExpectedWithinMs: number | undefined
  ended: 'complete' | GatewayError | undefined

  /** All that the client was sent. */
  get sent(): string {
    return this.writes.join('')
  }

  /** Code of the failure. */
  get failure(): string | undefined {
    return this.ended === 'complete' ? undefined : this.ended?.code
  }

  commit(status: number, headers: Readonly<Record<string, string>>): void {
    this.#mustRun('commit')
    if (this.head !== undefined) throw new Error('committed twice')
    this.head = { status, headers }
  }

  write(bytes: Buffer): void {
    this.#mustRun('write')
    if (bytes.length === 0) throw new Error('an empty write')
    this.#send(bytes)
  }

  content(): void {
    this.#mustRun('content')
    this.contents += 1
  }

  frameBegun(): void {
    this.#mustRun('frameBegun')
    this.insideFrame = true
    this.framesBegun++
  }

  frameWhole(): void {
    this.#mustRun('frameWhole')
    this.insideFrame = false
  }

  expectEnd(withinMs: number): void {
    this.#mustRun('expectEnd')
    this.endExpectedWithinMs = withinMs
  }

  complete(last?: Buffer): void {
    this.#mustRun('complete')
    if (last !== undefined) this.#send(last)
    if (this.head === undefined) throw new Error('complete before commit')
    this.ended = 'complete'
  }

  fail(failure: Failure): void {
    this.#mustRun('fail')
    this.ended = failure.error
  }

  #send(bytes: Buffer): void {
    if (this.head === undefined) throw new Error('write before commit')
    // The bytes are the sender's to use again: what is kept is a copy.
    this.writes.push(bytes.toString('latin1'))
  }

  #mustRun(what: string): void {
    if (this.ended !== undefined) throw new Error(`${what} after the end`)
  }
}
