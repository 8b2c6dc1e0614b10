/** The document of the admin API: correct by the rules of OpenAPI, and complete by the table of routes. */

import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { errorCatalogue } from '../../../src/base/errors.ts'
import { openApiDocument } from '../../../src/http/admin/open-api.ts'
import { adminRoutes } from '../../../src/http/admin/routes.ts'

const document = openApiDocument(adminRoutes, '1.2.3')

interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly requestBody?: { readonly required: boolean }
  readonly parameters: readonly { name: string; in: string; description: string }[]
  readonly responses: Readonly<Record<string, { description: string; content: object }>>
}
const paths = document['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
)

test('it keeps to the rules of OpenAPI 3.1', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
})

test('a document that breaks them is found', async () => {
  const broken = structuredClone(document) as Record<string, unknown>
  broken['paths'] = { '/admin/keys': { get: { responses: { 200: {} } } } }
  expect((await new Validator().validate(broken)).valid).toBe(false)
})

test('every route is in it, and nothing else', () => {
  expect(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual(
    adminRoutes.map(({ path, method }) => `${method} ${path.replace(':id', '{id}')}`).toSorted(),
  )
  expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(adminRoutes.length)
})

test.each(operations)('$method $path says what it is, takes and answers', ({ path, operation }) => {
  expect(operation.summary).toMatch(/\.$/)
  for (const parameter of operation.parameters) expect(parameter.description, parameter.name).toBeTruthy()
  expect(operation.parameters.filter((one) => one.in === 'path').map(({ name }) => `{${name}}`)).toEqual(
    path.match(/\{\w+\}/g) ?? [],
  )
  for (const status of ['400', '401', '403', '421', '429', '500', '503', 'default'])
    expect(operation.responses).toHaveProperty(status)
  for (const [status, { description, content }] of Object.entries(operation.responses)) {
    expect(description, status).not.toBe('')
    expect(Object.keys(content), status).not.toEqual([])
  }
})

test('a body is required but where a request without one says all that is needed', () => {
  const bodies = operations.flatMap(({ operation: { operationId, requestBody } }) =>
    requestBody === undefined ? [] : [[operationId, requestBody.required]],
  )
  expect(Object.fromEntries(bodies)).toEqual({
    createKey: true,
    changeKey: true,
    rotateKey: false,
    revokeKey: false,
    pauseLine: false,
    resumeLine: false,
    cancelRequest: false,
    addHost: true,
    drainHost: false,
    pauseHost: false,
    resumeHost: false,
    reloadConfiguration: false,
  })
})

test('every reference leads somewhere, and every schema is referred to', () => {
  const text = JSON.stringify(document)
  const named = Object.keys((document['components'] as { schemas: object }).schemas)
  const referred = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name)
  expect([...new Set(referred)].toSorted()).toEqual(named.toSorted())
  expect(text).not.toContain('#/$defs')
})

test('what a route may refuse is in the catalogue of errors, under one status each', () => {
  for (const { refusals = [] } of adminRoutes) for (const code of refusals) expect(errorCatalogue).toHaveProperty(code)
})
