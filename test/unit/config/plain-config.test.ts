import { array, assert, constantFrom, dictionary, oneof, option, property, string, webUrl } from 'fast-check'
import { expect, test } from 'vitest'
import { defaults } from '../../../src/config/defaults.ts'
import { overlay } from '../../../src/config/overlay.ts'
import { plainConfig } from '../../../src/config/plain-config.ts'
import { brokenRules } from '../../../src/config/rules.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { settings } from '../../../src/config/settings.ts'

function given(values: Readonly<Record<string, readonly string[]>>): unknown {
  return overlay({}, {}, new Map(Object.entries(values))).input
}

test('the defaults are those of the schemas', () => {
  expect(configSchema.parse({})).toStrictEqual(defaults)
})

/** Good, odd and wrong ones of every kind, for every setting: what is good for one is wrong for another. */
const word = oneof(
  constantFrom('', ' ', '0', '1', '4000', '65535', '65536', '-1', '1.5', '1e3', '9007199254740992', 'true', 'no'),
  constantFrom('auto', 'json', 'text', 'info', 'silent', ':memory:', '127.0.0.1', '::1', '0.0.0.0', 'localhost'),
  constantFrom('http://a:1', 'http://a:1/', 'http://A:1', 'https://10.0.0.1:65536', 'http://a:1/v1', 'http://u:p@a'),
  constantFrom('a-token-for-the-scraper', 'a token for the scraper', 'fifteen-letters'),
  string({ maxLength: 24 }),
  webUrl(),
)
const flags = dictionary(
  constantFrom(...settings.flatMap(({ flag }) => (flag === null || flag === 'config' ? [] : [flag]))),
  array(word, { minLength: 1, maxLength: 2 }),
  { maxKeys: 4 },
)

test('whatever is taken as plain is what the schemas and the rules make of it', () => {
  let plain = 0
  assert(
    property(flags, option(word, { nil: undefined }), (values, token) => {
      const input = overlay({}, { LMX_GATEWAY_METRICS_TOKEN: token }, new Map(Object.entries(values))).input
      const config = plainConfig(input)
      if (config === null) return
      plain += 1
      expect(configSchema.parse(input)).toStrictEqual(config)
      expect(brokenRules(input)).toEqual([])
    }),
    { numRuns: 3_000 },
  )
  expect(plain).toBeGreaterThan(100)
})

test('a start in earnest is plain', () => {
  const input = given({
    'host-url': ['http://192.168.188.11:1234', 'https://mini.local'],
    port: ['0'],
    bind: ['0.0.0.0'],
    'allow-anonymous': ['true'],
    'admin-port': ['0'],
    'admin-bind': ['::1'],
    'queue-length-max': ['64'],
    store: ['/var/lib/lmx-gateway/gateway.db'],
    'log-format': ['json'],
    'log-level': ['warn'],
  })
  expect(plainConfig(input)).toStrictEqual(configSchema.parse(input))
})

test.each([
  ['wrong by itself', { port: ['70000'] }],
  ['wrong together', { port: ['4001'] }],
  ['wrong by a rule', { 'admin-bind': ['0.0.0.0'] }],
  ['perhaps good, and not plainly so', { 'host-url': ['http://mini.local/base'] }],
])('what is %s is left to the schemas', (_what, values) => {
  expect(plainConfig(given(values))).toBeNull()
})
