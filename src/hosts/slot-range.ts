/** Between which numbers of slots a host may move, and where it begins. */
import type { HostKind } from './kinds/host-kind.ts'

export interface SlotRange {
  readonly min: number
  readonly max: number
  readonly start: number
}

/** A fixed number of slots, or bounds inside of which they adapt. */
export type ConfiguredSlots = number | { readonly min?: number | undefined; readonly max?: number | undefined }

/** While neither configuration, host nor kind has said a number. */
const unknownKind = { slotsDefault: 4, slotsMax: 4 }

/**
 * A configured number is fixed. Otherwise a host begins with the number it says itself, else that of its kind, and by
 * default never has fewer: where a single stream is slower than wanted already, fewer slots would mend nothing. No bound
 * that is configured takes it above what the host says itself, as the rest would wait there, unseen and in no order.
 */
export function slotRange(
  configured: ConfiguredSlots | undefined,
  reported: number | undefined,
  kind: Pick<HostKind, 'slotsDefault' | 'slotsMax'> | null,
): SlotRange {
  if (typeof configured === 'number') return { min: configured, max: configured, start: configured }
  const wanted = configured ?? {}
  const { slotsDefault, slotsMax } = kind ?? unknownKind
  const usual = reported ?? slotsDefault
  const most = reported ?? Math.max(slotsMax, wanted.min ?? 1)
  const max = Math.min(wanted.max ?? most, reported ?? Infinity)
  const min = Math.min(wanted.min ?? usual, max)
  return { min, max, start: Math.min(Math.max(usual, min), max) }
}
