/** The OpenAPI document of the admin API, made from the table of its routes. */
import { z } from 'zod'
import { type ErrorCode, errorCatalogue } from '../../base/errors.ts'
import type { AdminRoute } from './admin-route.ts'
import { answeredSchemas, errorBody, sentSchemas } from './documented.ts'

type Json = Readonly<Record<string, unknown>>

/** What any of these routes may answer; one that is open refuses nobody. */
const refusalsOfAll = [
  'invalid_request',
  'invalid_api_key',
  'permission_denied',
  'misdirected_request',
  'rate_limit_exceeded',
  'internal_error',
  'store_unavailable',
] as const satisfies readonly ErrorCode[]
const refusalsOfBodies = [
  'invalid_json',
  'request_timeout',
  'request_too_large',
  'unsupported_media_type',
] as const satisfies readonly ErrorCode[]

export function openApiDocument(routes: readonly AdminRoute[], version: string): Json {
  const paths = new Map<string, Json>()
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    paths.set(path, { ...paths.get(path), [route.method.toLowerCase()]: operationOf(route) })
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Admin API of LMX gateway',
      version,
      description: 'Keys, limits, usage, the trail of changes, and what waits and runs, on the admin listener.',
    },
    servers: [{ url: '/' }],
    security: [{ adminToken: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        adminToken: { type: 'http', scheme: 'bearer', description: 'Made at the first start; see admin-token rotate.' },
        metricsToken: { type: 'http', scheme: 'bearer', description: 'admin.metricsToken of the configuration.' },
      },
      schemas: { ...componentsOf(sentSchemas, 'input'), ...componentsOf(answeredSchemas, 'output') },
    },
  }
}

function operationOf(route: AdminRoute): Json {
  const { operation, summary, role, query, body, isBodyOptional, status, answers } = route
  return {
    operationId: operation,
    summary,
    // An empty requirement: open, where only this machine can reach the listener.
    ...(role === 'scraper' ? { security: [{ metricsToken: [] }, { adminToken: [] }, {}] } : {}),
    parameters: [...pathParameters(route), ...queryParameters(query)],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: !isBodyOptional,
            content: { 'application/json': { schema: refOf(body) } },
          },
        }),
    responses: {
      [status]: { description: 'Done.', content: contentOf(answers) },
      ...errorResponses([...refusalsOfAll, ...(body === null ? [] : refusalsOfBodies), ...(route.refusals ?? [])]),
      default: {
        description: 'Refused before it was looked at.',
        content: contentOf({ 'application/json': errorBody }),
      },
    },
  }
}

function contentOf(answers: AdminRoute['answers']): Json {
  return Object.fromEntries(
    Object.entries(answers).map(([type, schema]) => [
      type,
      { schema: schema === null ? { type: 'string' } : refOf(schema) },
    ]),
  )
}

function errorResponses(codes: readonly ErrorCode[]): Json {
  const byStatus = new Map<number, string[]>()
  for (const code of codes) {
    const { status, meaning } = errorCatalogue[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), `\`${code}\`: ${meaning}`])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, meanings]) => [
      status,
      { description: meanings.join(' '), content: contentOf({ 'application/json': errorBody }) },
    ]),
  )
}

function pathParameters({ path, idMeans = idOfKey }: AdminRoute): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    description: idMeans,
    schema: { type: 'string' },
  }))
}

const idOfKey = 'Id of a key, or its name where that is a plain word'

function queryParameters(query: AdminRoute['query']): Json[] {
  if (query === null) return []
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: 'input' })
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest }: Json = typeof schema === 'object' ? { ...schema } : {}
    return { name, in: 'query', required: required.includes(name), description, schema: rest }
  })
}

/** Every schema of the table is a named one. */
function refOf(schema: z.ZodType): Json {
  const id = (sentSchemas.get(schema) ?? answeredSchemas.get(schema))?.id
  if (id === undefined) throw new Error('a schema of an admin route has no name')
  return { $ref: uriOf(id) }
}

function uriOf(id: string): string {
  return `#/components/schemas/${id}`
}

function componentsOf(registry: typeof sentSchemas, io: 'input' | 'output'): Json {
  const { schemas } = z.toJSONSchema(registry, { uri: uriOf, io })
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _dialect, $id: _address, ...schema }]) => [id, schema]),
  )
}
