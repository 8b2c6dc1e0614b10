/** Where what a client names was last: helps where nothing else tells one host from another, and is never needed. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'
import type { Ask } from './policy.ts'

/** Of each model and name; the one that was used longest ago goes first. */
const namesMax = 20_000

export class Sessions {
  /** The number of a host, so that one that was removed is not kept. */
  readonly #lastAt = new BoundedMap<string, number>(namesMax)

  /** The number of the host where it was last; undefined where none is known. */
  lastAt(ask: Ask): number | undefined {
    const key = keyOf(ask)
    return key === null ? undefined : this.#lastAt.get(key)
  }

  remember(host: Host, ask: Ask): void {
    const key = keyOf(ask)
    if (key !== null) this.#lastAt.set(key, host.number)
  }
}

/**
 * A person may have many conversations at once, which are better spread: such a name counts only where the prompt itself
 * tells nothing.
 */
function keyOf({ model, prompt: { session, print, person = null } }: Ask): string | null {
  if (session !== null) return `conversation ${session} ${model}`
  return print === null && person !== null ? `person ${person} ${model}` : null
}
