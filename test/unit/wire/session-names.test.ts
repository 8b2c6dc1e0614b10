/** What clients call their conversations. */
import { describe, expect, it, test } from 'vitest'
import { readJsonBody } from '../../../src/wire/request-body.ts'
import { sessionNameCharsMax, sessionNames } from '../../../src/wire/session-names.ts'

function namesOf(body: object, headers: Readonly<Record<string, string | string[]>> = {}) {
  const read = readJsonBody(Buffer.from(JSON.stringify({ model: 'm', ...body })), { choicesMax: 1, messagesMax: 1 })
  return sessionNames(headers, read.bytes, read.noticed)
}

const nobody = { conversation: null, person: null }
const claude = 'user_0f_account_1e_session_2d'
const claudeJson = JSON.stringify({ device_id: '0f', account_uuid: '1e', session_id: '2d' })

describe('a conversation is named by', () => {
  test.each([
    'x-session-id',
    'x-session-affinity',
    'x-claude-code-session-id',
    'x-opencode-session',
    'x-litellm-session-id',
    'x-olla-session-id',
    'x-openwebui-chat-id',
    'session_id',
    'session-id',
  ])('the header %s', (header) => {
    expect(namesOf({}, { [header]: 'one' })).toEqual({ conversation: 'one', person: null })
  })

  test.each<[string, object, string]>([
    ['prompt_cache_key', { prompt_cache_key: 'one' }, 'one'],
    ['session_id', { session_id: 'one' }, 'one'],
    ['session_id in metadata', { metadata: { session_id: 'one' } }, 'one'],
    ['the session in what Claude Code calls its user', { metadata: { user_id: claude } }, claude],
    ['the same as it writes it lately', { metadata: { user_id: claudeJson } }, claudeJson],
  ])('%s', (_what, body, conversation) => {
    expect(namesOf(body)).toEqual({ conversation, person: null })
  })

  it('one of Claude Code’s agents, of which each has its own', () => {
    const headers = { 'x-claude-code-session-id': 'one' }
    const names = [undefined, 'a', 'b'].map((agent) =>
      namesOf({}, agent === undefined ? headers : { ...headers, 'x-claude-code-agent-id': agent }),
    )
    expect(new Set(names.map(({ conversation }) => conversation)).size).toBe(3)
  })

  it('a header before the body, which a client library may have filled', () => {
    expect(namesOf({ prompt_cache_key: 'two' }, { 'x-session-id': 'one' }).conversation).toBe('one')
  })
})

test.each<[string, object]>([
  ['user', { user: 'ann' }],
  ['safety_identifier', { safety_identifier: 'ann' }],
  ['user_id in metadata', { metadata: { user_id: 'ann' } }],
])('%s names a person, who may have many conversations', (_what, body) => {
  expect(namesOf(body)).toEqual({ conversation: null, person: 'ann' })
})

test.each<[string, unknown]>([
  ['nothing', ''],
  ['too much', 'x'.repeat(sessionNameCharsMax + 1)],
  ['characters that control', 'a\nb'],
  ['a number', 7],
  ['null', null],
  ['an object', { session_id: 'x' }],
])('%s is no name, and no reason to refuse anything', (_what, value) => {
  expect(namesOf({ prompt_cache_key: value, user: value, metadata: { session_id: value, user_id: value } })).toEqual(
    nobody,
  )
  if (typeof value === 'string') expect(namesOf({}, { 'x-session-id': value })).toEqual(nobody)
})

test('the longest name is one, even where each of its characters is escaped', () => {
  const text = `{"model":"m","prompt_cache_key":"${'\\u0078'.repeat(sessionNameCharsMax)}"}`
  const read = readJsonBody(Buffer.from(text), { choicesMax: 1, messagesMax: 1 })
  expect(sessionNames({}, read.bytes, read.noticed).conversation).toBe('x'.repeat(sessionNameCharsMax))
})

test.each(['{"session_id" "x"}', '[1]', '"x"', '{"session_id":"x"'.concat(',}')])(
  'metadata that is odd is left to the host: %s',
  (metadata) => {
    const read = readJsonBody(Buffer.from(`{"model":"m","metadata":${metadata}}`), { choicesMax: 1, messagesMax: 1 })
    expect(() => sessionNames({}, read.bytes, read.noticed)).not.toThrow()
  },
)
