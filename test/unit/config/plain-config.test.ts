import {
  anything,
  array,
  assert,
  constantFrom,
  dictionary,
  oneof,
  option,
  property,
  string,
  tuple,
  webUrl,
} from 'fast-check'
import { expect, test } from 'vitest'
import { defaults } from '../../../src/config/defaults.ts'
import { overlay } from '../../../src/config/overlay.ts'
import { plainBounds } from '../../../src/config/plain-bounds.ts'
import { plainConfig } from '../../../src/config/plain-config.ts'
import { brokenRules } from '../../../src/config/rules.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { settings } from '../../../src/config/settings.ts'
import { withValueAt } from '../../../src/config/untyped.ts'

function fromFlags(values: Readonly<Record<string, readonly string[]>>): unknown {
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
  const input = fromFlags({
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
  expect(plainConfig(fromFlags(values))).toBeNull()
})

/** Just inside and just outside of what a place takes, and anything else. */
const value = oneof(
  constantFrom(
    ...Object.values(plainBounds).flatMap<string | number>((bound) =>
      typeof bound === 'object' && 'min' in bound ? [bound.min, bound.min - 1, bound.max, bound.max + 1] : bound,
    ),
  ),
  constantFrom(true, false, null, 0.5, 4.5, {}, [], ['m'], ['m', ''], { a: 'm' }, { fast: { a: 'm' }, b: ['m', 'n'] }),
  word,
  anything(),
)
const name = constantFrom(
  'name',
  'url',
  'apiKey',
  'adminKey',
  'models',
  'slots',
  'kind',
  'tier',
  'weight',
  'clocks',
  'a.b',
)
const host = tuple(dictionary(name, value, { maxKeys: 2 }), oneof(constantFrom('http://a:1', 'http://b:1'), word)).map(
  ([rest, url]) => ({ url, ...rest }),
)
const place = oneof(
  constantFrom(...Object.keys(plainBounds).filter((path) => !path.startsWith('hosts.'))),
  constantFrom(
    'models.aliases',
    'admin.hostNames',
    'server.tls',
    'limits',
    'teams',
    'no.such',
    '__proto__',
    'storage.path',
  ),
)
const file = tuple(array(tuple(place, value), { maxLength: 3 }), option(array(host, { maxLength: 2 }))).map(
  ([values, hosts]) =>
    values.reduce<unknown>(
      (input, [path, given]) => withValueAt(input, path.split('.'), given),
      hosts === null ? {} : { hosts },
    ),
)

test('the same of what a file may hold', () => {
  let plain = 0
  assert(
    property(file, (input) => {
      const config = plainConfig(input)
      if (config === null) return
      plain += 1
      expect(configSchema.parse(input)).toStrictEqual(config)
    }),
    { numRuns: 4_000 },
  )
  expect(plain).toBeGreaterThan(100)
})

test.each(Object.entries(plainBounds))('%s: its bounds are plain, and one past them is not', (path, bound) => {
  const parts = path.split('.')
  const isOfHost = parts[0] === 'hosts'
  const at = (given: unknown): unknown =>
    isOfHost
      ? { hosts: [{ url: 'http://a:1', ...Object(withValueAt({}, parts.slice(1), given)) }] }
      : withValueAt({}, parts, given)
  const [good, bad] =
    bound === 'switch'
      ? [
          [true, false],
          ['true', 1],
        ]
      : 'min' in bound
        ? [
            [bound.min, bound.max],
            [bound.min - 1, bound.max + 1, String(bound.min)],
          ]
        : [bound, ['other']]
  for (const given of bad) expect(plainConfig(at(given))).toBeNull()
  for (const given of good) {
    const config = plainConfig(at(given))
    // Where a rule or another part of the same host has its say, the schemas decide.
    if (config !== null) expect(configSchema.parse(at(given))).toStrictEqual(config)
  }
})

test('a file of common settings is plain', () => {
  const input = {
    server: { bind: '127.0.0.1', port: 4000, drainMsMax: 10_000 },
    admin: { bind: '127.0.0.1', port: 4001 },
    hosts: [
      { name: 'studio', url: 'http://192.168.188.11:1234', kind: 'lmx', slots: 2, apiKey: '' },
      { name: 'mini', url: 'http://mini.local:11434', models: ['whisper'], tier: 2 },
    ],
    models: { aliases: { fast: 'qwen3-30b-a3b', big: { studio: 'a', mini: 'b' }, any: ['a', 'b'] } },
    storage: { path: '~/.local/state/lmx-gateway/gateway.db' },
    queue: { classes: { bulk: { share: 0.1, waitMsMax: 1_000 } } },
    log: { level: 'warn' },
  }
  expect(plainConfig(input)).toStrictEqual(configSchema.parse(input))
})

test.each([
  ['a name that is none', { servers: {} }],
  ['one that looks like the place of another', { 'server.port': 1 }],
  ['the same of a host', { hosts: [{ url: 'http://a:1', 'clocks.loadMsMax': 1 }] }],
  ['a section without anything in it', { server: null }],
  ['a host without a place', { hosts: [{ name: 'a' }] }],
  [
    'an alias for a host that is not there',
    { hosts: [{ url: 'http://a:1' }], models: { aliases: { fast: { b: 'm' } } } },
  ],
])('left to the schemas: %s', (_what, input) => {
  expect(plainConfig(input)).toBeNull()
})
