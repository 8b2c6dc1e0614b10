/** Schemas that the document of the API names, and what is the same in many of them. */
import { z } from 'zod'

interface Named {
  readonly id: string
}

/** What is sent, and what is answered, apart: of a value with a default one has it and the other may lack it. */
export const sentSchemas = z.registry<Named>()
export const answeredSchemas = z.registry<Named>()

export function sent<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  sentSchemas.add(schema, { id })
  return schema
}

export function published<Schema extends z.ZodType>(id: string, schema: Schema): Schema {
  answeredSchemas.add(schema, { id })
  return schema
}

/** ISO 8601 in UTC. */
export const time = z.iso.datetime().describe('ISO 8601, in UTC')

export const nameText = z.string().min(1).max(256)

/** The envelope of every error. */
export const errorBody = published(
  'Error',
  z.strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable().describe('The field that the message is about'),
      code: z.string(),
    }),
  }),
)

/** Of a change that takes no fields. */
export const noFields = sent('NoFields', z.strictObject({}))

/** A number as a query writes it. */
export function wholeText(most: number, least: 0 | 1 = 1) {
  return z
    .string()
    .regex(least === 0 ? /^(?:0|[1-9]\d{0,8})$/ : /^[1-9]\d{0,8}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().max(most))
    .optional()
}
