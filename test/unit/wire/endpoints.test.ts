import { expect, test } from 'vitest'
import { endpointNames, endpoints } from '../../../src/wire/endpoints.ts'

test('every endpoint has one row, and no two have a path', () => {
  expect(endpoints.map(({ name }) => name)).toEqual([...endpointNames])
  expect(new Set(endpoints.map(({ path }) => path)).size).toBe(endpoints.length)
})

test('paths are those of the APIs', () => {
  for (const { path } of endpoints) expect(path).toMatch(/^\/v1\/[a-z_]+(?:\/[a-z_]+)?$/)
})

test('uploads are multipart, and Anthropic’s paths answer as Anthropic does', () => {
  const names = (holds: (row: (typeof endpoints)[number]) => boolean) => endpoints.filter(holds).map(({ name }) => name)
  expect(names(({ body }) => body === 'multipart')).toEqual(['transcriptions', 'translations'])
  expect(names(({ anthropic }) => anthropic)).toEqual(['messages', 'count_tokens'])
})
