import { expect, test } from 'vitest'
import { newAdminToken } from '../../../src/access/admin-token.ts'
import { newKey } from '../../../src/access/api-key.ts'
import { badKey, bearerToken, credentialOf, keyInTarget } from '../../../src/access/credentials.ts'

const key = newKey().key.reveal()
const other = newKey().key.reveal()
const none = { kind: 'none' }
const bearer = { kind: 'bearer', text: key }

test.each([
  ['nothing', {}, none],
  ['Bearer', { authorization: `Bearer ${key}` }, bearer],
  ['bearer in small letters', { authorization: `bearer ${key}` }, bearer],
  ['BEARER and more spaces', { authorization: `BEARER   ${key}` }, bearer],
  ['x-api-key', { 'x-api-key': key }, bearer],
  ['both, the same', { authorization: `Bearer ${key}`, 'x-api-key': key }, bearer],
  ['a header that is empty', { authorization: '', 'x-api-key': key }, bearer],
  ['the other that is empty', { authorization: `Bearer ${key}`, 'x-api-key': ' ' }, bearer],
  ['both empty', { authorization: ' ', 'x-api-key': '' }, none],
  ['api-key, which is no carrier', { 'api-key': key }, none],
  ['proxy-authorization', { 'proxy-authorization': `Bearer ${key}` }, none],
  ['a cookie', { cookie: `key=${key}; authorization=Bearer ${key}` }, none],
  ['a subprotocol', { 'sec-websocket-protocol': `realtime, openai-insecure-api-key.${key}` }, none],
  ['x-goog-api-key', { 'x-goog-api-key': key }, none],
  ['Basic', { authorization: `Basic ${key}` }, { kind: 'foreign', text: `Basic ${key}` }],
  ['Token', { authorization: `Token ${key}` }, { kind: 'foreign', text: `Token ${key}` }],
  ['no scheme', { authorization: key }, { kind: 'foreign', text: key }],
  ['the scheme alone', { authorization: 'Bearer' }, { kind: 'foreign', text: 'Bearer' }],
  ['a scheme that begins like it', { authorization: `Bearer2 ${key}` }, { kind: 'foreign', text: `Bearer2 ${key}` }],
  ['two words', { authorization: `Bearer ${key} x` }, { kind: 'foreign', text: `Bearer ${key} x` }],
  ['a tab', { authorization: `Bearer\t${key}` }, { kind: 'foreign', text: `Bearer\t${key}` }],
  ['a list', { authorization: `Basic x, Bearer ${key}` }, { kind: 'foreign', text: `Basic x, Bearer ${key}` }],
])('X06: %s is read in one way', (_what, headers, credential) => {
  expect(credentialOf(headers)).toEqual(credential)
})

test.each([
  ['two keys', { authorization: `Bearer ${key}`, 'x-api-key': other }],
  ['a key and a word', { authorization: `Bearer ${key}`, 'x-api-key': 'none' }],
  ['a key under another scheme', { authorization: `Basic ${key}`, 'x-api-key': key }],
  ['a key without a scheme', { authorization: key, 'x-api-key': key }],
  ['another case', { authorization: `Bearer ${key}`, 'x-api-key': key.toLowerCase() }],
])('X07: %s in the two carriers are refused, and not shown', (_what, headers) => {
  let refusal: unknown
  try {
    credentialOf(headers)
  } catch (error) {
    refusal = error
  }
  expect(refusal).toMatchObject({ code: 'invalid_request', kind: { status: 400 } })
  expect(String(refusal)).not.toMatch(/lmx_live_/i)
})

test('a token is what stands behind Bearer, and behind nothing else', () => {
  expect(bearerToken('Bearer a.b~c+/=')).toBe('a.b~c+/=')
  for (const bad of ['', 'a', 'Bearer', 'Bearer ', ' Bearer a', 'Basic a', 'Bearer a b'])
    expect(bearerToken(bad)).toBeNull()
})

test('the refusal of a wrong key says how to send one, and is the same each time', () => {
  expect(badKey()).toMatchObject({ code: 'invalid_api_key', kind: { status: 401, shouldRetry: false } })
  expect(badKey().message).toBe(badKey().message)
  expect(badKey().detail).toEqual({})
})

const escaped = (text: string) => Buffer.from(text).toString('hex').replace(/../g, '%$&')
const adminToken = newAdminToken().token.reveal()

test.each([
  `/v1/models?key=${key}`,
  '/v1/models?key=anything',
  '/v1/models?limit=3&api_key=sk-1',
  '/v1/models?api-key=sk-1',
  '/v1/models?API_KEY=sk-1',
  '/v1/models?access_token=x',
  '/v1/models?x=1;token=x',
  '/v1/models?%6bey=x',
  '/v1/models?%256bey=x',
  '/v1/models?a=%26key=x',
  '/v1/models?key',
  `/v1/models?whatever=${key}`,
  `/v1/models?${key}`,
  `/v1/models/${key}`,
  `/${key}/v1/models`,
  `/v1/models?q=${escaped(key)}`,
  `/v1/models?q=${escaped(escaped(key))}`,
  `/v1/models?q=${key.slice(0, 30)}`,
  `/v1/models?q=${key.toUpperCase()}`,
  `/v1/models?q=${adminToken}`,
  `http://127.0.0.1/v1/models?key=${key}`,
  `http://${key}@127.0.0.1/v1/models`,
])('X05: a key in a URL is refused, and the refusal does not repeat it (%#)', (target) => {
  const refusal = keyInTarget(target)
  expect(refusal).toMatchObject({ code: 'invalid_request', kind: { status: 400 } })
  expect(refusal?.message).not.toMatch(/lmx_|sk-1/i)
})

test.each([
  '/v1/models',
  '/v1/models/org/keyboard-model',
  '/v1/models/key=value',
  '/v1/messages?beta=true',
  '/v1/responses/resp_1?include=a&monkey=b&keyword=c&tokens=3',
  '/v1/models?q=%zz%',
  '/v1/models?q=%C3%A9',
  '',
  '*',
])('X05: what only looks like one passes: %s', (target) => {
  expect(keyInTarget(target)).toBeNull()
})

test('X05: where names are given as key, only what may be one of ours is refused', () => {
  expect(keyInTarget('/admin/usage?key=alice', { alsoNamed: false })).toBeNull()
  expect(keyInTarget(`/admin/usage?key=${escaped(key)}`, { alsoNamed: false })).not.toBeNull()
})
