/** Keys as JSON: what may be written when one is made or changed, for the admin API and the command line alike. */
import { z } from 'zod'
import { GatewayError } from '../base/errors.ts'
import { count } from '../base/option-types.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { requestClasses } from '../base/request-class.ts'
import { checked } from './checked.ts'
import { limitKinds, perLimit } from './limits.ts'
import { limitsSchema } from './options.ts'
import { isPrintable } from './shown.ts'

/** Names that stand for something else in metrics, the ledger and the log. */
const reservedNames = new Set(['anonymous', 'other', 'admin', 'unknown'])
/** Text that is stored and shown. */
const storedText = (text: z.ZodString) =>
  text.refine(isPrintable, 'must have printable characters only').refine((it) => !looksLikeOurs(it), 'must hold no key')

const name = storedText(z.string().trim().min(1).max(64))
  .refine(
    (text) => !reservedNames.has(text.toLowerCase()),
    'must not be anonymous, other, admin or unknown, which stand for something else',
  )
  .describe('Unique among keys that are not revoked')

const models = z
  .array(
    storedText(
      z
        .string()
        .min(1)
        .max(256)
        .regex(/^[^*]*\*?$/, 'may have * as its last character only'),
    ),
  )
  .min(1)
  .max(200)
  .describe('Models that it may use, by the names clients ask for; * at the end stands for any rest')

const tagsMax = 20

const tags = z
  .record(
    storedText(z.string().regex(/^[A-Za-z0-9][\w.:/-]{0,63}$/, 'must be 1 to 64 letters, digits or any of _ . : / -')),
    storedText(z.string().max(256)),
  )
  .refine((all) => Object.keys(all).length <= tagsMax, `may be ${tagsMax} at most`)
  .describe('Words of your own, kept with it')

const expiresAt = z
  .string()
  .refine(
    (text) => durationMs(text) !== null || isDateTime(text),
    'must be a date with time and zone, such as 2027-01-31T12:00:00Z, or a time from now, such as 30d, 12h or 90m',
  )
  .describe('When it ends: a date with time and zone, or a time from now such as 30d')

const fields = {
  team: z
    .string()
    .min(1)
    .max(63)
    .nullable()
    .describe('Team of the configuration whose limits it shares; null for none'),
  models: models.nullable().describe('Models that it may use; * at the end stands for any rest; null for all'),
  class: z.enum(requestClasses).describe('Highest class that its requests may have'),
  // Shares that differ by more than a million leave nothing to the smaller one.
  weight: z.number().min(0.001).max(1_000).describe('Its share against other keys; 1 unless changed'),
  maxOutputTokens: count.nullable().describe('Most tokens of one answer; null for what the host allows'),
  tags,
  expiresAt: expiresAt.nullable(),
}

export const newKeySchema = z
  .strictObject({ name, ...fields, limits: limitsSchema })
  .partial()
  .required({ name: true })

const limitChanges = perLimit((limit) =>
  count.nullable().optional().describe(`${limitKinds[limit].meaning}; null removes it`),
)

/** What is absent stays as it is. */
export const keyChangeSchema = z.strictObject({ name, ...fields, limits: z.strictObject(limitChanges) }).partial()

export type NewKeyInput = z.infer<typeof newKeySchema>
export type KeyChangeInput = z.infer<typeof keyChangeSchema>

/** A key as it is told to whoever administers it: nothing by which it could be used. */
export const keyViewSchema = z.strictObject({
  id: z.string().describe('Public: it stands in the key itself, in logs and in the ledger'),
  name: z.string(),
  state: z.enum(['live', 'expired', 'revoked']),
  team: z.string().nullable(),
  models: z.array(z.string()).nullable().describe('Null for all'),
  class: z.enum(requestClasses),
  weight: z.number(),
  maxOutputTokens: z.int().nullable(),
  limits: limitsSchema,
  tags: z.record(z.string(), z.string()),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  endsStreams: z.boolean().describe('What ran under it was ended when it was revoked'),
  secrets: z
    .array(z.strictObject({ expiresAt: z.iso.datetime().nullable() }))
    .describe('Those that hold now: a second one while it was rotated lately'),
  revision: z.int().describe('Counts its changes'),
})

export type KeyView = z.infer<typeof keyViewSchema>

export function checkNewKey(input: unknown): NewKeyInput {
  return checkedKey(newKeySchema, input)
}

export function checkKeyChange(input: unknown): KeyChangeInput {
  return checkedKey(keyChangeSchema, input)
}

/** When a key ends that was told so now. Throws for a time that has passed. */
export function expiryMs(text: string, nowMs: number): number {
  const fromNowMs = durationMs(text)
  const atMs = fromNowMs === null ? Date.parse(text) : nowMs + fromNowMs
  if (atMs > nowMs) return atMs
  throw new GatewayError('invalid_request', 'expiresAt must be in the future.', { param: 'expiresAt' })
}

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}

/** `30d`, `12h`, `90m`, `45s`, `2w`; null for all else. */
export function durationMs(text: string): number | null {
  const [, amount = '', unit = ''] = /^(\d{1,5})([smhdw])$/.exec(text) ?? []
  const unitMs = unitsMs[unit]
  return unitMs === undefined ? null : Number(amount) * unitMs
}

const dateTime = z.iso.datetime({ offset: true })

function isDateTime(text: string): boolean {
  return dateTime.safeParse(text).success
}

function checkedKey<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  if (namesPrototype(input))
    throw new GatewayError('invalid_request', 'tags.__proto__: must not be the name of a tag.', { param: 'tags' })
  return checked(schema, input, 'A key is written as a JSON object: ')
}

/** Zod leaves this tag out without a word, where all else that does not belong is refused. */
function namesPrototype(input: unknown): boolean {
  if (typeof input !== 'object' || input === null || !('tags' in input)) return false
  return typeof input.tags === 'object' && input.tags !== null && Object.hasOwn(input.tags, '__proto__')
}
