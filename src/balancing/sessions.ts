/** Where what a client names was last: its conversation, or else what is of the same person. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'
import type { Prompt } from './prompt.ts'

/** What of a request was last at a host: its conversation, or only another one of the same person. */
export type LastHere = 'conversation' | 'person'

/** Of each model and name; the one that was used longest ago goes first. */
const namesMax = 20_000

export class Sessions {
  /** The number of a host, so that one that was removed is not kept. */
  readonly #lastAt = new BoundedMap<string, number>(namesMax)

  /** `model`: the name that clients use. */
  lastHere(host: Host, model: string, { session, person = null }: Prompt): LastHere | null {
    // Who has a name for the conversation means no other one.
    if (session !== null) return this.#isLast(host, model, 'conversation', session) ? 'conversation' : null
    return person !== null && this.#isLast(host, model, 'person', person) ? 'person' : null
  }

  remember(host: Host, model: string, { session, person = null }: Prompt): void {
    if (session !== null) this.#lastAt.set(keyOf(model, 'conversation', session), host.number)
    if (person !== null) this.#lastAt.set(keyOf(model, 'person', person), host.number)
  }

  #isLast(host: Host, model: string, what: LastHere, name: string): boolean {
    return this.#lastAt.get(keyOf(model, what, name)) === host.number
  }
}

function keyOf(model: string, what: LastHere, name: string): string {
  return `${what} ${name} ${model}`
}
