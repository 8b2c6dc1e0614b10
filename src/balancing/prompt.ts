/** What of a prompt tells which host has read its beginning before. */

export interface Prompt {
  /** Null where nothing is to be remembered of it. */
  readonly print: PromptPrint | null
  /** What its client calls the conversation, told apart by key; null where it says nothing. */
  readonly session: string | null
  /** Whose it is, as far as its client says, told apart by key: somebody may have many conversations at once. */
  readonly person?: string | null
}

export interface PromptPrint extends Beginnings {
  /** Whose it is, as nobody outside can read it: what hosts say of prompts of theirs counts for theirs first. */
  readonly owner: string
}

/** Digests of what a prompt begins with: each covers all of it before its end, so that equal ones are equal beginnings. */
export interface Beginnings {
  /** The shortest beginning first. */
  readonly digests: readonly number[]
  /** Where each ends, in bytes of the prompt. */
  readonly ends: readonly number[]
  readonly bytes: number
  /** Digest of all of it, which the last of those above may fall short of. */
  readonly whole?: number
  /** As many of the first digests lie in what many conversations have in common: tools and the words of the system. */
  readonly commonCount: number
}

export const noPrompt: Prompt = { print: null, session: null }
