/** Text that must not be printed by accident: only `reveal` gives it, where it is shown once. */
import { inspect } from 'node:util'

const shown = '[redacted]'

export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** For the one place that shows it. */
  reveal(): string {
    return this.#text
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }
}
