/** Tells, while the bytes of a JSON text pass, whether it has come to its end: brackets are counted, texts are skipped. */

const QUOTE = 34
const BACKSLASH = 92
const OPEN_LIST = 91
const CLOSE_LIST = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125

export class JsonEnd {
  #depth = 0
  #inText = false
  /** The next byte of a text belongs to a backslash. */
  #escaped = false

  /** Everything that was opened is closed. Says nothing of whether what came is correct otherwise. */
  get reached(): boolean {
    return this.#depth === 0 && !this.#inText
  }

  feed(bytes: Buffer): void {
    for (let i = 0; i < bytes.length; i++) {
      if (this.#inText) {
        i = this.#skipText(bytes, i)
        continue
      }
      switch (bytes[i]) {
        case QUOTE:
          this.#inText = true
          break
        case OPEN_LIST:
        case OPEN_OBJECT:
          this.#depth++
          break
        case CLOSE_LIST:
        case CLOSE_OBJECT:
          this.#depth--
          break
        default:
      }
    }
  }

  /** Returns the place of the last byte that was looked at. */
  #skipText(bytes: Buffer, from: number): number {
    let i = from
    for (; i < bytes.length; i++) {
      if (this.#escaped) this.#escaped = false
      else if (bytes[i] === BACKSLASH) this.#escaped = true
      else if (bytes[i] === QUOTE) {
        this.#inText = false
        return i
      }
    }
    return i
  }
}
