/** Makes of a request what its host is chosen by beside its size: digests of its prompt, and names told apart by key. */
import { type PromptSpans, promptPieces, usesCache } from '../wire/prompt-parts.ts'
import type { SessionNames } from '../wire/session-names.ts'
import type { BalancingOptions } from './options.ts'
import type { Prompt } from './prompt.ts'
import { PromptPrinter, randomSecret, secretOf } from './prompt-print.ts'

/** Of a body that was read already. */
export interface PromptBody {
  readonly bytes: Buffer
  readonly noticed: PromptSpans
}

export class PromptReader {
  readonly #options: BalancingOptions['prefixes']
  #secret = randomSecret()
  #printer = new PromptPrinter(secretOf(this.#secret))

  constructor(options: BalancingOptions['prefixes']) {
    this.#options = options
  }

  /** What nobody else may know: by it digests of prompts could be guessed. */
  get secret(): string {
    return this.#secret
  }

  /** That of all gateways that tell each other of prompts: what was read with another one is not known again. */
  adopt(secret: string): void {
    if (secret === this.#secret) return
    this.#printer = new PromptPrinter(secretOf(secret))
    this.#secret = secret
  }

  /** Two that have the same read prompts alike. It tells nothing of the secret. */
  get mark(): string {
    return this.#printer.nameOf('mark', 'mark')
  }

  /** `holder`: whose request it is. `body`: null where its prompt begins with something that it does not show. */
  read(body: PromptBody | null, { conversation, person }: SessionNames, holder: string): Prompt {
    const { enabled, scope } = this.#options
    const printer = this.#printer
    // A name says nothing about whoever else uses the same one.
    const named = (name: string | null): string | null => (name === null ? null : printer.nameOf(name, holder))
    const prompt = { session: named(conversation), person: named(person) }
    // Where a host makes no use of what it has kept, there is no place to return to, and nothing to learn of its cache.
    if (!enabled || body === null || !usesCache(body.bytes, body.noticed)) return { ...prompt, print: null }
    const pieces = promptPieces(body.bytes, body.noticed)
    const beginnings = printer.print(
      pieces,
      scope === 'all' ? null : { holder, from: scope === 'key' ? 'start' : 'own' },
    )
    return { ...prompt, print: { ...beginnings, owner: printer.ownerOf(holder) } }
  }
}
