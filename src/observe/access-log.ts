/** One line per request, made from its outcome: an allow-list of fields, so that no prompt, answer or header can slip in. */
import type { Log, LogFields } from '../base/log.ts'
import { endedByHost, type Outcome } from '../relay/outcome.ts'
import { accessFields } from './access-fields.ts'
import { jsonValue } from './safe-text.ts'

/** The message of every access-log line. */
export const accessMessage = 'request'

/**
 * A request that was refused at the door, before anything of it was read, or for a limit. Anybody can make as many of
 * them as the network carries, and neither the disk nor the memory is theirs to fill.
 */
export function isRefusedAtDoor({ end, status, model, askedModel }: Pick<Outcome, DoorField>): boolean {
  return isOfDoor(end, status, model, askedModel)
}

type DoorField = 'end' | 'status' | 'model' | 'askedModel'

function isOfDoor(end: unknown, status: unknown, model: unknown, asked: unknown): boolean {
  return end === 'GA' && (status === 429 || (model === null && asked === null))
}

/** The line of such a one. */
export function isDoorLine(message: string, { end, status, model, asked = null }: LogFields): boolean {
  return message === accessMessage && isOfDoor(end, status, model, asked)
}

/** What such lines tell, together. */
export function refusedAlike({ endpoint, status, error, key }: LogFields): unknown {
  return [endpoint, status, error, key]
}

export function accessLog(log: Log): (outcome: Outcome) => void {
  return (outcome) => {
    // Failures that are not the caller's own stay visible when the level leaves the ordinary lines out.
    const level = outcome.status >= 500 || endedByHost(outcome.end) ? 'warn' : 'info'
    if (log.writes?.(level) === false) return
    if (log.writeJson === undefined || isRefusedAtDoor(outcome)) log(level, accessMessage, fieldsOf(outcome))
    else log.writeJson(level, accessMessage, jsonOf(outcome))
  }
}

const fields = Object.entries(accessFields).map(([name, { of }]) => {
  const jsonName = `,${jsonValue(name)}:`
  return { name, of, jsonName, jsonNull: `${jsonName}null` }
})

function fieldsOf(outcome: Outcome): LogFields {
  const line: Record<string, LogFields[string]> = {}
  for (const { name, of } of fields) line[name] = of(outcome)
  return line
}

/** Every request has such a line: written at once, where an object of so many fields would be ten times its size. */
function jsonOf(outcome: Outcome): string {
  let json = ''
  for (const { jsonName, jsonNull, of } of fields) {
    const value = of(outcome)
    json += value === null ? jsonNull : jsonName + jsonValue(value)
  }
  return json
}
