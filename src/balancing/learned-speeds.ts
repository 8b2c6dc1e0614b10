/** How fast each host is with each model, learned from what passes through. */
import type { Host } from '../hosts/host.ts'
import { assumedSpeed, type Speed } from './speed.ts'

/** What one answer that went well tells. */
export interface SpeedSample {
  /** Of the prompt, the tokens that the host had to read, and those of others that it had to read before. */
  readonly inputRead: number
  /** From when it was sent until its first token; null where that tells nothing, since the model was loaded meanwhile. */
  readonly firstTokenMs: number | null
  /** Mean time per output token after the first; null where there are too few, or its client held it up. */
  readonly timePerOutputTokenMs: number | null
  /** Answers that the host generated meanwhile, this one included; the mean over its time. */
  readonly together: number
}

export interface Speeds {
  of(host: Host, model: string): Speed
  observe(host: Host, model: string, sample: SpeedSample): void
}

export const assumedSpeeds: Speeds = { of: () => assumedSpeed, observe: () => {} }
