/** Which host has read which beginnings of prompts, as far as the gateway sent them there. */
import type { Host } from '../hosts/host.ts'
import type { PromptPrint } from './prompt.ts'

export interface PrefixMatch {
  /** Of the bytes of the prompt, from 0 to 1. */
  readonly share: number
  /** It goes beyond what many conversations have in common. */
  readonly isHome: boolean
}

export interface Prefixes {
  match(host: Host, model: string, print: PromptPrint): PrefixMatch
  /** The host is given this prompt. */
  remember(host: Host, model: string, print: PromptPrint): void
  /** What the host has kept is gone, of one model or of all. */
  forget(host: Host, model?: string): void
}

const nothing: PrefixMatch = { share: 0, isHome: false }

export const noPrefixes: Prefixes = { match: () => nothing, remember: () => {}, forget: () => {} }
