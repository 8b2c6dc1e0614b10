/** Judges each request by the objectives of its model, so that goodput is counted exactly and not read off buckets. */
import { type EndCode, endedBy, isFleetsFault, type Outcome } from '../relay/outcome.ts'

export interface Objective {
  /** For a stream that is not bulk, the wait in line included. */
  readonly timeToFirstTokenMsMax: number
  readonly timePerOutputTokenMsMax: number
}

export interface Objectives extends Objective {
  /** Of models that differ, by the name clients use. */
  readonly models: Readonly<Record<string, { readonly [Part in keyof Objective]?: Objective[Part] | undefined }>>
}

export const objectiveNames = ['availability', 'ttft', 'tpot', 'goodput'] as const
type ObjectiveName = (typeof objectiveNames)[number]

/** True: met. False: missed. Null: says nothing of it. */
export type Judgement = Readonly<Record<ObjectiveName, boolean | null>>

export function objectiveOf(model: string | null, { models, ...general }: Objectives): Objective {
  const own = model === null || !Object.hasOwn(models, model) ? undefined : models[model]
  return {
    timeToFirstTokenMsMax: own?.timeToFirstTokenMsMax ?? general.timeToFirstTokenMsMax,
    timePerOutputTokenMsMax: own?.timePerOutputTokenMsMax ?? general.timePerOutputTokenMsMax,
  }
}

export function judged(outcome: Outcome, objectives: Objectives): Judgement {
  const objective = objectiveOf(outcome.model, objectives)
  const availability = isAnswered(outcome)
  const ttft = firstToken(outcome, objective, availability)
  const tpot = perToken(outcome, objective, availability)
  return { availability, ttft, tpot, goodput: together([availability, ttft, tpot]) }
}

/** What the caller got wrong, and what it or an operator ended, says nothing of the fleet. */
function isAnswered(outcome: Outcome): boolean | null {
  if (outcome.end === '--') return outcome.status < 400
  return isFleetsFault(outcome) ? false : null
}

/** Known long before the request ends; null of bulk work, which may take its time. */
export function firstTokenMet(
  { class: ofClass, ttftMs }: Pick<Outcome, 'class'> & { readonly ttftMs: number },
  { timeToFirstTokenMsMax }: Objective,
): boolean | null {
  return ofClass === 'bulk' ? null : ttftMs <= timeToFirstTokenMsMax
}

/** Who leaves having waited longer than the objective has seen it missed; who leaves earlier has seen nothing. */
function firstToken(outcome: Outcome, objective: Objective, answered: boolean | null): boolean | null {
  const { stream, class: ofClass, ttftMs, durationMs } = outcome
  if (ttftMs !== null) return firstTokenMet({ class: ofClass, ttftMs }, objective)
  if (!stream || ofClass === 'bulk') return null
  if (answered === false) return false
  return isLeft(outcome.end) && durationMs > objective.timeToFirstTokenMsMax ? false : null
}

/** A stream that a host breaks off has no speed worth telling. */
function perToken(outcome: Outcome, { timePerOutputTokenMsMax }: Objective, answered: boolean | null): boolean | null {
  const { stream, ttftMs, timePerOutputTokenMs, timePerOutputTokenMsLeast } = outcome
  if (!stream || ttftMs === null) return null
  if (answered === false) return false
  // Who leaves a stream that stands still has seen how slow it is.
  if (isLeft(outcome.end) && (timePerOutputTokenMsLeast ?? 0) > timePerOutputTokenMsMax) return false
  return timePerOutputTokenMs === null ? null : timePerOutputTokenMs <= timePerOutputTokenMsMax
}

function isLeft(end: EndCode): boolean {
  return endedBy(end) === 'left'
}

/** One that is missed is enough; one that is met says something. */
function together(judgements: readonly (boolean | null)[]): boolean | null {
  if (judgements.includes(false)) return false
  return judgements.includes(true) ? true : null
}
