/** What the readers of a stream share: how long its ends may take, when a frame is whole, and whether one is open. */
import { frameJson } from '../wire/dialect.ts'
import type { SseScanner } from '../wire/sse-scanner.ts'
import type { AnswerSink } from './answer-reader.ts'

/** After `[DONE]`, or an event that is as final, nothing can follow; a connection that stays open is closed. */
export const afterDoneMs = 50
/** After the last finish reason only usage and `[DONE]` can follow. */
export const afterFinishMs = 5_000

/** Whether bytes without their empty line are a frame all the same. */
export function isWhole(frame: Buffer): boolean {
  return frameJson(frame) !== undefined || /(?:^|[\r\n])data: ?\[DONE\]/.test(frame.toString('latin1'))
}

/** Tells the clock of a frame where one begins and where none is open. */
export class FrameWatch {
  readonly #scanner: SseScanner
  readonly #sink: AnswerSink
  #inside = false

  constructor(scanner: SseScanner, sink: AnswerSink) {
    this.#scanner = scanner
    this.#sink = sink
  }

  /** After each read; `frames` were whole in it. */
  tell(frames: number): void {
    const inside = this.#scanner.restBytes > 0
    if (inside && (frames > 0 || !this.#inside)) this.#sink.frameBegun()
    else if (!inside && this.#inside) this.#sink.frameWhole()
    this.#inside = inside
  }
}
