/** Holds what an operator sent against its schema, and says in one sentence what is wrong first. */
import type { z } from 'zod'
import { GatewayError } from '../base/errors.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { shown } from './shown.ts'

/** Throws a GatewayError that names the first field that is wrong; `whole` is said where no field is. */
export function checked<Schema extends z.ZodType>(schema: Schema, input: unknown, whole = ''): z.output<Schema> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  if (issue === undefined) throw new GatewayError('invalid_request', 'The request is not as this path takes it.')
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = [...issue.path, ...(unknown === undefined ? [] : [unknown])].map((part) => nameOf(String(part)))
  const param = path.join('.')
  const what = unknown === undefined ? sentenceOf(issue) : 'is no field that is known here'
  if (param === '') throw new GatewayError('invalid_request', `${whole}${what}.`)
  throw new GatewayError('invalid_request', `${param}: ${what}.`, { param })
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) return 'is missing'
  return issue.message
}

/** What somebody wrote as the name of a field goes back to them, but cut short, and not where it is a key. */
export function nameOf(field: string): string {
  return looksLikeOurs(field) ? '…' : shown(field)
}
