/** FastAPI's validation, as far as a gateway's clients can trip over it: the 422 envelope with its list of problems. */

import type { JsonObject } from './prompt.ts'
import { isObject } from './prompt.ts'
import { PyFloat } from './python-json.ts'

interface Problem {
  type: string
  loc: (string | number)[]
  msg: string
  input: unknown
  ctx?: unknown
}

type FieldType = 'string' | 'number' | 'integer' | 'boolean' | 'list' | 'string_or_list'

interface Field {
  name: string
  type: FieldType
  required?: boolean
  ge?: number
  le?: number
}

const sampling: Field[] = [
  { name: 'temperature', type: 'number', ge: 0, le: 2 },
  { name: 'top_p', type: 'number', ge: 0, le: 1 },
  { name: 'max_tokens', type: 'integer' },
  { name: 'stream', type: 'boolean' },
]
const model: Field = { name: 'model', type: 'string', required: true }

/** Fields in the order of LMX's request models, which is the order of the problems. */
const schemas = {
  chat: [
    model,
    { name: 'messages', type: 'list', required: true },
    ...sampling,
    { name: 'n', type: 'integer', ge: 1, le: 16 },
  ],
  completions: [
    model,
    { name: 'prompt', type: 'string_or_list', required: true },
    ...sampling,
    { name: 'n', type: 'integer', ge: 1, le: 16 },
  ],
  messages: [model, { name: 'messages', type: 'list', required: true }, ...sampling],
  embeddings: [{ name: 'input', type: 'string_or_list', required: true }, model],
  rerank: [
    model,
    { name: 'query', type: 'string', required: true },
    { name: 'documents', type: 'list', required: true },
  ],
  speech: [{ name: 'input', type: 'string', required: true }],
} satisfies Record<string, Field[]>

export type SchemaName = keyof typeof schemas

const misfits: Record<FieldType, { type: string; msg: string }> = {
  string: { type: 'string_type', msg: 'Input should be a valid string' },
  number: { type: 'float_type', msg: 'Input should be a valid number' },
  integer: { type: 'int_type', msg: 'Input should be a valid integer' },
  boolean: { type: 'bool_type', msg: 'Input should be a valid boolean' },
  list: { type: 'list_type', msg: 'Input should be a valid list' },
  string_or_list: { type: 'string_type', msg: 'Input should be a valid string' },
}

const fits: Record<FieldType, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === 'boolean',
  list: (value) => Array.isArray(value),
  string_or_list: (value) => typeof value === 'string' || Array.isArray(value),
}

type ParsedBody = { ok: true; value: unknown } | { ok: false; problems: Problem[] }

/** Bad JSON is a validation problem to FastAPI, not a 400. */
export function parseJsonBody(body: Buffer, contentType: string | undefined): ParsedBody {
  const text = body.toString('utf8')
  if (text === '') {
    return { ok: false, problems: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] }
  }
  if (contentType !== undefined && !/^application\/([a-z.+-]*\+)?json\b/i.test(contentType)) {
    return { ok: false, problems: [notAnObject(text)] }
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch (error) {
    const position = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const at = position === undefined ? text.length : Number(position)
    const ctx = { error: 'Expecting value' }
    return {
      ok: false,
      problems: [{ type: 'json_invalid', loc: ['body', at], msg: 'JSON decode error', input: {}, ctx }],
    }
  }
}

export function problemsOf(body: unknown, schema: SchemaName): Problem[] {
  if (!isObject(body)) return [notAnObject(body)]
  return schemas[schema].flatMap((field) => problemsOfField(body, field))
}

function notAnObject(input: unknown): Problem {
  const msg = 'Input should be a valid dictionary or object to extract fields from'
  return { type: 'model_attributes_type', loc: ['body'], msg, input }
}

function problemsOfField(body: JsonObject, field: Field): Problem[] {
  const loc = ['body', field.name]
  const input = body[field.name]
  if (input === undefined) {
    return field.required === true ? [{ type: 'missing', loc, msg: 'Field required', input: body }] : []
  }
  if (input === null && field.required !== true) return []
  if (!fits[field.type](input)) return [{ type: misfits[field.type].type, loc, msg: misfits[field.type].msg, input }]
  if (typeof input !== 'number') return []
  const { ge, le } = field
  if (ge !== undefined && input < ge) {
    const msg = `Input should be greater than or equal to ${ge}`
    return [{ type: 'greater_than_equal', loc, msg, input, ctx: { ge: bound(field, ge) } }]
  }
  if (le !== undefined && input > le) {
    const msg = `Input should be less than or equal to ${le}`
    return [{ type: 'less_than_equal', loc, msg, input, ctx: { le: bound(field, le) } }]
  }
  return []
}

const bound = (field: Field, value: number) => (field.type === 'number' ? new PyFloat(value) : value)
