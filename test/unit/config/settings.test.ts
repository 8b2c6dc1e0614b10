import { describe, expect, test } from 'vitest'
import { configJsonSchema } from '../../../src/config/json-schema.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { pathsOfKey } from '../../../src/config/schema-keys.ts'
import { settings } from '../../../src/config/settings.ts'
import { valueAt } from '../../../src/config/untyped.ts'

describe('the table of common settings', () => {
  test.each(settings.filter((setting) => setting.path !== null))(
    '$environment has its place in the file',
    ({ path }) => {
      expect(pathsOfKey(String(path.at(-1)))).toContainEqual([...path])
    },
  )

  const withDefault = settings.filter((setting) => setting.path !== null && 'default' in setting)
  test.each(withDefault)('$environment: --help names the true default', (setting) => {
    const found = valueAt(configSchema.parse({}), setting.path)
    expect(setting.kind === 'hosts' ? valueAt(found, [0, 'url']) : String(found)).toBe(setting.default)
  })

  test('no secret can be given as a flag', () => {
    expect(settings.filter((setting) => setting.flag !== null && /token|key/i.test(setting.flag))).toEqual([])
  })
})

test('the JSON Schema describes every section and refuses unknown keys', () => {
  const schema = configJsonSchema()
  expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false })
  expect(Object.keys(valueAt(schema, ['properties']) as object)).toEqual(Object.keys(configSchema.shape))
})
