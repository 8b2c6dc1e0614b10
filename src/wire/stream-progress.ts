/** What the frames of one stream have told so far: content, usage, and whether the answer is complete. */
import type { Dialect } from './dialect.ts'
import { eventName, frameJson } from './dialect.ts'
import { isObject, type JsonObject, property } from './json-value.ts'
import { mark, SseScanner } from './sse-scanner.ts'
import { type ReportedUsage, readUsage } from './usage.ts'

export type FrameRole =
  /** Carries generated text, reasoning or a tool call. */
  | 'content'
  /** Ends the answer or one of its choices. */
  | 'finish'
  /** Only usage: `choices` is an empty list. */
  | 'usage'
  /** `[DONE]`. */
  | 'done'
  | 'error'
  | 'other'

export class StreamProgress {
  /** The error object of a frame of role `error`. */
  error: unknown = null
  /** Frames with data that was no JSON object. */
  badFrames = 0
  /** Those since the last good one. */
  badFramesInARow = 0
  /** The last frame ended a choice or the answer, whether it carried content too or not. */
  endsChoice = false
  readonly #dialect: Dialect
  readonly #choices: number
  readonly #begun = new Set<unknown>()
  readonly #finished = new Set<unknown>()
  /** Those that finished in the last frame that ended any. */
  #finishedLast: unknown[] = []
  readonly #onUsage: (usage: ReportedUsage) => void
  readonly #onResponseId: ((id: string) => void) | null
  readonly #onBadFrame: () => void
  #responseIdSeen = false
  #ended = false

  constructor(options: {
    dialect: Dialect
    /** Choices the request asked for; the answer is complete when each has its finish reason. */
    choices: number
    onUsage: (usage: ReportedUsage) => void
    /** For dialects whose answers can be referred to later. */
    onResponseId: ((id: string) => void) | null
    /** A frame with data that was no JSON object. */
    onBadFrame?: () => void
  }) {
    this.#dialect = options.dialect
    this.#choices = options.choices
    this.#onUsage = options.onUsage
    this.#onResponseId = options.onResponseId
    this.#onBadFrame = options.onBadFrame ?? (() => {})
  }

  /** Every choice has finished, or the dialect's final event came, so what may follow is usage and the last mark. */
  get complete(): boolean {
    return this.#ended || this.#finished.size >= this.#choices
  }

  /** The dialect's final event came: nothing follows that matters. */
  get ended(): boolean {
    return this.#ended
  }

  /** One choice at least has finished, and none that was begun has not. */
  get finishedAllSeen(): boolean {
    return this.#ended || (this.#finished.size > 0 && this.#begun.isSubsetOf(this.#finished))
  }

  /** The last frame ended this choice, or the answer. */
  ends(choice: unknown): boolean {
    return this.endsChoice && (this.#ended || this.#finishedLast.includes(choice))
  }

  /** Takes in the scanner's current frame. */
  see(scanner: SseScanner): FrameRole {
    const { marks } = scanner
    this.endsChoice = false
    if (marks === mark.done) return 'done'
    if (this.#isTorn(scanner)) return this.#bad()
    // Of several choices it matters which one a frame belongs to; a lone one needs no look inside.
    if (marks === mark.content && this.#choices === 1) {
      this.badFramesInARow = 0
      return 'content'
    }
    return this.#readFrame(scanner.buffer.subarray(scanner.frameStart, scanner.frameEnd), marks)
  }

  /** Data on one line that cannot be a JSON object, seen at its two ends: the frames of every token are not parsed. */
  #isTorn({ buffer, frameStart, frameEnd, marks }: SseScanner): boolean {
    if (this.#dialect.name === 'none' || (marks & mark.severalLines) !== 0) return false
    let last = frameEnd - 1
    while (last > frameStart && isSpace(buffer[last])) last--
    if (buffer[last] === braceClose) return false
    const text = buffer.toString('latin1', frameStart, last + 1)
    return /(?:^|[\r\n])(?:\xEF\xBB\xBF)?data: ?\S[^\r\n]*$/.test(text)
  }

  #bad(): FrameRole {
    this.badFrames++
    this.badFramesInARow++
    this.#onBadFrame()
    return 'other'
  }

  #readFrame(frame: Buffer, marks: number): FrameRole {
    const event = this.#readEvent(frame)
    const isFinal = event !== null && this.#dialect.finalEvents.has(event)
    if (isFinal) this.#ended = true
    if (
      marks === 0 &&
      this.#choices === 1 &&
      event !== 'error' &&
      event !== 'response.failed' &&
      !namesItselfError(frame)
    ) {
      this.badFramesInARow = 0
      this.endsChoice = isFinal
      return isFinal ? 'finish' : 'other'
    }
    const data = frameJson(frame)
    if (!isObject(data)) return this.#bad()
    this.badFramesInARow = 0
    if (!isFinal && this.#readError(data, event)) return 'error'
    return this.#readData(data, marks, isFinal)
  }

  /** Some name the event and put the error's fields straight into the data, Responses among them. */
  #readError(data: JsonObject, event: string | null): boolean {
    const { error } = data
    const isTold = isObject(error) || (typeof error === 'string' && error !== '')
    if (isTold) this.error = error
    else if (event === 'error' || (data['object'] === 'error' && typeof data['message'] === 'string')) this.error = data
    else if (event === 'response.failed') this.error = property(data['response'], 'error') ?? data
    return this.error !== null
  }

  #readEvent(frame: Buffer): string | null {
    if (this.#dialect.finalEvents.size === 0) return eventName(frame)
    const event = eventName(frame) ?? property(frameJson(frame), 'type')
    if (event === 'response.created') this.#readResponseId(frame)
    return typeof event === 'string' ? event : null
  }

  #readData(data: JsonObject, marks: number, isFinal: boolean): FrameRole {
    // Responses and Anthropic carry usage inside the object they announce.
    const holder = data['usage'] ?? property(data['response'], 'usage') ?? property(data['message'], 'usage')
    const usage = readUsage(holder)
    if (usage !== null) this.#onUsage(usage)
    const isContent =
      (marks & mark.content) !== 0 || ((marks & mark.severalLines) !== 0 && hasContent(data, this.#dialect))
    this.endsChoice = this.#readChoices(data) || isFinal
    if (isContent) return 'content'
    if (this.endsChoice) return 'finish'
    return isObject(holder) && Array.isArray(data['choices']) && data['choices'].length === 0 ? 'usage' : 'other'
  }

  /** Notes which choices were begun and which finished; true when one finished in this frame. */
  #readChoices(data: JsonObject): boolean {
    const choices = data['choices']
    if (!Array.isArray(choices)) return false
    const finishedNow: unknown[] = []
    for (const choice of choices) {
      const index = property(choice, 'index') ?? 0
      this.#begun.add(index)
      const reason = property(choice, 'finish_reason')
      if (typeof reason !== 'string' || reason === '') continue
      this.#finished.add(index)
      finishedNow.push(index)
    }
    this.#finishedLast = finishedNow
    return finishedNow.length > 0
  }

  #readResponseId(frame: Buffer): void {
    if (this.#onResponseId === null || this.#responseIdSeen) return
    const data = frameJson(frame)
    const id = property(property(data, 'response'), 'id') ?? property(data, 'id')
    if (typeof id !== 'string') return
    this.#responseIdSeen = true
    this.#onResponseId(id)
  }
}

const braceClose = 125

function isSpace(byte: number | undefined): boolean {
  return byte === 10 || byte === 13 || byte === 32 || byte === 9
}

/** vLLM's error inside of a stream, whose fields stand in the data itself. */
function namesItselfError(frame: Buffer): boolean {
  return /"object" ?: ?"error"/.test(frame.toString('latin1', 0, Math.min(frame.length, 4_096)))
}

/** With the data on several lines key and value may have been apart; written on one line they are side by side. */
function hasContent(data: JsonObject, dialect: Dialect): boolean {
  const line = Buffer.from(`data: ${JSON.stringify(data)}\n\n`)
  const scanner = new SseScanner(dialect.keys, line.length)
  scanner.feed(line)
  return scanner.next() && (scanner.marks & mark.content) !== 0
}
