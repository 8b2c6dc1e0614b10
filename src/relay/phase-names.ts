/** What each phase of a request is called where people read it. */
import type { Phase } from './outcome.ts'

/** `limit`: in its own line, for the limits of its key; `line`: in that of all, for a slot. */
export const phaseNames = {
  R: 'reading',
  A: 'limit',
  Q: 'line',
  C: 'connect',
  H: 'headers',
  F: 'first_content',
  D: 'content',
  L: 'last_bytes',
} as const satisfies Record<Phase, string>
