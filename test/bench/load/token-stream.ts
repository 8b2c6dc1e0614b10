/** The events of one stream as they arrive: each token must be there, in order, and as it was sent. */
import { numberIn, stampIn, tailAt, tokenHead } from './token-event.ts'

const done = Buffer.from('data: [DONE]\n\n')
const eventEnd = '\n\n'
const lineFeed = 10

export class TokenStream {
  tokens = 0
  isDone = false
  /** Told of each token by its stamp. */
  readonly #onToken: (stampNs: number) => void
  /** All tokens of a stream are alike but for stamp and number. */
  #bytesOfOne = 0
  #tailOfOne: Buffer | null = null
  #unfinished: Buffer | null = null

  constructor(onToken: (stampNs: number) => void) {
    this.#onToken = onToken
  }

  /** Throws where something is not as it was sent. */
  read(bytes: Buffer, from: number, to: number): void {
    if (this.#unfinished === null) return this.#events(bytes, from, to)
    const joined = Buffer.concat([this.#unfinished, bytes.subarray(from, to)])
    this.#unfinished = null
    this.#events(joined, 0, joined.length)
  }

  #events(bytes: Buffer, from: number, to: number): void {
    let at = from
    while (at < to) {
      const end = this.#endOf(bytes, at, to)
      if (end === null) {
        this.#unfinished = Buffer.from(bytes.subarray(at, to))
        return
      }
      if (isToken(bytes, at, end)) this.#token(bytes, at, end)
      else if (end - at === done.length && done.compare(bytes, at, end) === 0) this.isDone = true
      at = end
    }
  }

  /** Looks first where a token like the last one would end, since a search is dearer. */
  #endOf(bytes: Buffer, at: number, to: number): number | null {
    const likely = at + this.#bytesOfOne
    if (likely > at && likely <= to && bytes[likely - 1] === lineFeed && bytes[likely - 2] === lineFeed) return likely
    const end = bytes.subarray(at, to).indexOf(eventEnd)
    return end < 0 ? null : at + end + eventEnd.length
  }

  #token(bytes: Buffer, at: number, end: number): void {
    if (this.#tailOfOne === null) {
      this.#bytesOfOne = end - at
      this.#tailOfOne = Buffer.from(bytes.subarray(at + tailAt, end))
    } else if (this.#tailOfOne.compare(bytes, at + tailAt, end) !== 0) {
      throw new Error(`a token that is not as it was sent: ${bytes.toString('latin1', at, end)}`)
    }
    const number = numberIn(bytes, at)
    if (number !== this.tokens) throw new Error(`token ${number} where ${this.tokens} was due`)
    this.tokens++
    this.#onToken(stampIn(bytes, at))
  }
}

function isToken(bytes: Buffer, at: number, end: number): boolean {
  return end - at > tailAt && tokenHead.compare(bytes, at, at + tokenHead.length) === 0
}
