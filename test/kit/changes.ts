/** Wakes waiters whenever something changed, so that a test waits for a state and never for a time. */

import { within } from './within.ts'

export class Changes {
  readonly #looks = new Set<() => void>()

  notify(): void {
    for (const look of this.#looks) look()
  }

  /** Resolves once `holds` is true, looking again at each change; rejects with `label` after `ms`. */
  async until(ms: number, label: string, holds: () => boolean): Promise<void> {
    if (holds()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (holds()) resolve()
    }
    this.#looks.add(look)
    try {
      await within(ms, label, promise)
    } finally {
      this.#looks.delete(look)
    }
  }
}
