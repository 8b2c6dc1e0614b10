/** Where what a client names was last: helps where nothing else tells one host from another, and is never needed. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'
import type { Ask } from './policy.ts'

/** Of each model and name; the one that was used longest ago goes first. */
const namesMax = 20_000

export class Sessions {
  /** Weakly, so that a host that was removed is not kept; by itself and not by its number, which the next host is given. */
  readonly #lastAt = new BoundedMap<string, WeakRef<Host>>(namesMax)
  /** One of each host, however many names were there. */
  readonly #refs = new WeakMap<Host, WeakRef<Host>>()
  /** Null where nobody wants to know. */
  #teller: ((name: string, host: Host) => void) | null = null

  /** From now on it is told of names that are at a host where they were not before. */
  tellTo(teller: (name: string, host: Host) => void): void {
    this.#teller = teller
  }

  /** Another gateway has sent there what has this name. */
  heard(name: string, host: Host): void {
    this.#lastAt.set(name, this.#refOf(host))
  }

  /** The host where it was last; undefined where none is known. */
  lastAt(ask: Ask): Host | undefined {
    const key = keyOf(ask)
    return key === null ? undefined : this.#lastAt.get(key)?.deref()
  }

  remember(host: Host, ask: Ask): void {
    const key = keyOf(ask)
    if (key === null) return
    if (this.#teller !== null && this.#lastAt.get(key)?.deref() !== host) this.#teller(key, host)
    this.#lastAt.set(key, this.#refOf(host))
  }

  #refOf(host: Host): WeakRef<Host> {
    const known = this.#refs.get(host)
    if (known !== undefined) return known
    const ref = new WeakRef(host)
    this.#refs.set(host, ref)
    return ref
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
