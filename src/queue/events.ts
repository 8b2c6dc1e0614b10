/** What the line tells `observe/`. */
import type { RequestClass } from '../base/request-class.ts'

export type WaitOutcome = 'granted' | 'timeout' | 'left' | 'refused'
/** Why the line did not take a request, or not any longer. */
export type Rejection = 'full' | 'key_full' | 'wait_too_long' | 'bytes' | 'timeout' | 'no_host'

/** What a request was told of its wait when it came, and what it was. */
export interface AnnouncedWait {
  readonly model: string | null
  readonly p50Ms: number
  readonly p90Ms: number
  /** At the least, where it was not granted. */
  readonly waitMs: number
}

export interface QueueEvents {
  /** A request that asked for a slot has one, or will never get one. `model` is a known name or null. */
  waitEnded(
    wait: { readonly model: string | null; readonly class: RequestClass },
    outcome: WaitOutcome,
    waitMs: number,
  ): void
  rejected(model: string | null, reason: Rejection): void
  /** Of each that waited and had been told for how long. */
  estimateTold(wait: AnnouncedWait): void
  /** A bulk request gave its slot to a more urgent one. */
  gaveBack(model: string | null): void
}

/** Where several gateways share the slots of hosts. */
export interface SharedSlotEvents {
  /** A slot that was free here was asked for. local: nobody could tell, and this gateway kept to its share. */
  slotAsked(host: string, outcome: 'granted' | 'refused' | 'local'): void
  /** It was granted when nobody waited for the answer any more, and was given back. */
  slotAnswerUndone(host: string): void
}

/** Of one host whose slots several gateways share. */
export interface SharedSlotsState {
  readonly host: string
  /** Slots that other gateways hold, as this one last heard. */
  readonly elsewhere: number
  /** This one was refused a slot and waits for it beside the others. */
  readonly isClaimed: boolean
}

/** What the line adds to what a host says of itself. */
export interface HeldSlots {
  /** Slots of answers that were given up while the host goes on computing them. */
  readonly zombieSlots: number
}

/** Of the requests of one model and one class. */
export interface QueueDepth {
  readonly model: string
  readonly class: RequestClass
  readonly waiting: number
  /** Prompts and answers, as estimated. */
  readonly tokens: number
  readonly oldestMs: number
}

/** Of one key, or `anonymous` for all clients without one. */
export interface FlowState {
  readonly key: string
  readonly waiting: number
  readonly running: number
}

export interface QueueState {
  readonly depths: readonly QueueDepth[]
  readonly flows: readonly FlowState[]
  /** Between the most and the least served of those who wait: cost for a weight of 1. */
  readonly fairnessGap: number
  /** Bytes of request bodies held. */
  readonly bytes: number
  /** By an operator. */
  readonly paused: boolean
}
