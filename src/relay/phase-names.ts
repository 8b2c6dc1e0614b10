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

export const phases = Object.values(phaseNames)
type PhaseName = (typeof phases)[number]

const waitingPhases: readonly PhaseName[] = ['limit', 'line']
const runningPhases: readonly PhaseName[] = ['connect', 'headers', 'first_content', 'content', 'last_bytes']

/** What a list may be narrowed to: a phase, or all in which a request waits, or has a host. */
export const phaseFilters = ['waiting', 'running', ...phases] as const
export type PhaseFilter = (typeof phaseFilters)[number]

export function isIn(filter: PhaseFilter, phase: PhaseName): boolean {
  if (filter === 'waiting') return waitingPhases.includes(phase)
  return filter === 'running' ? runningPhases.includes(phase) : filter === phase
}
