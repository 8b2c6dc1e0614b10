/** One line per request, made from its outcome: an allow-list of fields, so that no prompt, answer or header can slip in. */
import type { Log, LogFields } from '../base/log.ts'
import { endedByHost, type Outcome } from '../relay/outcome.ts'
import { accessFields } from './access-fields.ts'

/** The message of every access-log line. */
export const accessMessage = 'request'

/**
 * A request that was refused at the door, before anything of it was read, or for a limit. Anybody can make as many of
 * them as the network carries, and neither the disk nor the memory is theirs to fill.
 */
export function isRefusedAtDoor({ end, status, model, asked }: Readonly<Record<DoorField, unknown>>): boolean {
  return end === 'GA' && (status === 429 || (model === null && asked === null))
}

type DoorField = 'end' | 'status' | 'model' | 'asked'

/** The line of such a one. */
export function isOfDoor(message: string, { end, status, model, asked = null }: LogFields): boolean {
  return message === accessMessage && isRefusedAtDoor({ end, status, model, asked })
}

/** What such lines tell, together. */
export function refusedAlike({ endpoint, status, error, key }: LogFields): unknown {
  return [endpoint, status, error, key]
}

const fields = Object.entries(accessFields)

export function accessLog(log: Log): (outcome: Outcome) => void {
  return (outcome) => {
    // Failures that are not the caller's own stay visible when the level leaves the ordinary lines out.
    const level = outcome.status >= 500 || endedByHost(outcome.end) ? 'warn' : 'info'
    if (log.writes?.(level) === false) return
    const line: Record<string, LogFields[string]> = {}
    for (const [name, { of }] of fields) line[name] = of(outcome)
    log(level, accessMessage, line)
  }
}
