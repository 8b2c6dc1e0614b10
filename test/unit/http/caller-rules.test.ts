/** Names and origins by which the admin listener may be called. */

import { expect, test } from 'vitest'
import { type CallerHead, CallerRules } from '../../../src/http/admin/caller-rules.ts'

const rules = new CallerRules('admin.lan', ['Gateway.Test', 'fd00::5'])
const head: CallerHead = {
  target: '/admin/keys',
  host: 'localhost:4001',
  origin: undefined,
  secFetchSite: undefined,
  localAddress: '::ffff:192.168.1.7',
}
const codeOf = (changes: Partial<CallerHead>) => rules.problem({ ...head, ...changes })?.code ?? null

test.each([
  'localhost',
  'LOCALHOST:4001',
  '127.0.0.1',
  '127.0.0.1:1',
  '[::1]:4001',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  'admin.lan:4001',
  'gateway.test',
  'GATEWAY.test:443',
  '[fd00:0::5]:4001',
  '192.168.1.7:4001',
  '[::ffff:192.168.1.7]',
])('%s is one of its own names', (host) => {
  expect(codeOf({ host })).toBeNull()
  expect(codeOf({ target: `http://${host}/admin/keys` })).toBeNull()
})

test.each([
  undefined,
  '',
  'evil.test',
  'evil.test:4001',
  'localhost.evil.test',
  'evil.test/localhost',
  'localhost@evil.test',
  'evil.test#localhost',
  'localhost,evil.test',
  'localhost evil.test',
  'localhost.',
  'xlocalhost',
  'notgateway.test',
  'localhost:4001:4001',
  'localhost:123456',
  'localhost:x',
  '127.0.0.1.evil.test',
  '127.0.0.2',
  '127.1',
  '2130706433',
  '0x7f000001',
  '0.0.0.0',
  '10.0.0.1',
  '192.168.1.8',
  '169.254.169.254',
  '::1',
  '[::1',
  '[::2]',
  '[localhost]',
  '[evil.test]',
])('%s is not', (host) => {
  expect(codeOf({ host })).toBe('misdirected_request')
})

test('of a target that names a host that one counts as well', () => {
  expect(codeOf({ target: 'http://evil.test/admin/keys' })).toBe('misdirected_request')
  expect(codeOf({ target: 'HTTPS://localhost@evil.test/admin/keys' })).toBe('misdirected_request')
})

test.each([
  ['http://localhost:4001', 'same-origin'],
  ['http://LOCALHOST:4001', undefined],
  ['https://localhost:4001', undefined],
  [undefined, 'none'],
  [undefined, 'same-origin'],
])('a page from %s, %s, is its own', (origin, secFetchSite) => {
  expect(codeOf({ origin, secFetchSite })).toBeNull()
})

test.each([
  ['null', undefined],
  ['', undefined],
  ['http://evil.test', undefined],
  ['http://localhost', undefined],
  ['http://localhost:4000', undefined],
  ['http://localhost:4001.evil.test', undefined],
  ['http://localhost:4001/', undefined],
  ['http://x@localhost:4001', undefined],
  ['file://localhost:4001', undefined],
  ['http://127.0.0.1:4001', undefined],
  ['http://localhost:4001', 'cross-site'],
  [undefined, 'cross-site'],
  [undefined, 'same-site'],
  [undefined, 'Same-Origin'],
  [undefined, ''],
  [undefined, ['none', 'cross-site']],
] as const)('a page from %j, %j, is a foreign one', (origin, secFetchSite) => {
  expect(codeOf({ origin, secFetchSite: secFetchSite as string | string[] | undefined })).toBe('permission_denied')
})

test('the name is looked at before the page', () => {
  expect(codeOf({ host: 'evil.test', origin: 'http://evil.test' })).toBe('misdirected_request')
})
