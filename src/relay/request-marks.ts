/** What a request is known by when it comes again: kept when its bytes are gone, and nothing can be read from it. */
import { hash } from 'node:crypto'
import type { PromptPrint } from '../balancing/prompt.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { mostOutputTokens } from '../wire/output-limit.ts'
import type { RequestBody } from '../wire/request-body.ts'

interface ReadPrompt extends Pick<RequestBody, 'model' | 'outputLimits'> {
  /** Of its print. */
  readonly bytes: number
  readonly whole: number
}

/**
 * A body by all of its bytes, whoever sends it. A prompt by what the host reads of it, for which model, and how long its
 * answer may be: whatever else differs, as an id does from one attempt of a client to the next. As far as prints are told
 * apart by key, so are these.
 */
export class RequestMarks {
  readonly #endpoint: Endpoint
  readonly #body: () => Pick<RequestBody, 'bytes'> | null
  #ofBody: string | null = null
  #bodyBytes = 0
  #prompt: ReadPrompt | null = null
  #ofPrompt: string | null = null

  /** `body`: as much of it as is still there. */
  constructor(endpoint: Endpoint, body: () => Pick<RequestBody, 'bytes'> | null) {
    this.#endpoint = endpoint
    this.#body = body
  }

  /** Null where it has no print. */
  get ofPrompt(): string | null {
    // Written only for who asks: of most requests nobody does.
    if (this.#prompt !== null) this.#ofPrompt ??= this.#textOf(this.#prompt)
    return this.#ofPrompt
  }

  /** Of its body; 0 where it is gone, and was not looked at before. */
  get bodyBytes(): number {
    return this.#body()?.bytes.length || this.#bodyBytes
  }

  /** Null where it is gone, and was not looked at before. Hashes all of it: only where it is needed. */
  get ofBody(): string | null {
    const bytes = this.#body()?.bytes
    if (this.#ofBody === null && bytes !== undefined && bytes.length > 0) {
      this.#ofBody = `${this.#endpoint.path} ${hash('sha256', bytes, 'base64')}`
      this.#bodyBytes = bytes.length
    }
    return this.#ofBody
  }

  read({ model, outputLimits }: RequestBody, print: PromptPrint | null): void {
    if (print?.whole !== undefined) this.#prompt = { model, outputLimits, bytes: print.bytes, whole: print.whole }
  }

  #textOf({ model, outputLimits, bytes, whole }: ReadPrompt): string {
    const { path, outputLimit } = this.#endpoint
    return `${path} ${model} ${mostOutputTokens(outputLimits, outputLimit)} ${bytes} ${whole.toString(36)}`
  }

  /** Its bytes go, and its host may yet go under it: without a print it is known by these alone. */
  bytesGo(): void {
    // What is embedded, ranked or heard is done when its answer begins, and may be very long.
    if (this.#prompt === null && this.#endpoint.dialect !== 'none') void this.ofBody
  }
}
