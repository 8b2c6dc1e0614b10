/** What an engine need not read again: messages that it has read before, in this order, behind the same ones. */
import { hash } from 'node:crypto'
import { estimatedTokens, type Message } from './prompt.ts'

export class PrefixCache {
  readonly #read = new Set<string>()

  /** Tokens that must be read, of which all are known from now on; at least one, as engines have it. */
  tokensToRead(model: string, messages: readonly Message[]): number {
    let chain = model
    let known = 0
    for (const [at, { role, text }] of messages.entries()) {
      chain = hash('sha1', `${chain}\n${role}: ${text}`)
      if (this.#read.has(chain) && known === at) known++
      this.#read.add(chain)
    }
    return known === messages.length ? 1 : estimatedTokens(messages.slice(known))
  }
}
