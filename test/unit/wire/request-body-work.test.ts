/** What the gateway reads of a body costs so much for each of its bytes, whatever its client made of it. */
import { describe, expect, it } from 'vitest'
import { balancingOptions } from '../../../src/balancing/options.ts'
import { PromptReader } from '../../../src/balancing/prompt-reader.ts'
import { keptReference } from '../../../src/wire/kept-reference.ts'
import { promptPieces } from '../../../src/wire/prompt-parts.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'
import { sessionNames } from '../../../src/wire/session-names.ts'
import { countedBytes } from '../../kit/counted-bytes.ts'

const bodyBytes = 16_384
/** Each is walked through some eight times; one in the square of its length is looked at hundreds of times. */
const readsPerByteMax = 20
const rules = { choicesMax: 1_000_000, messagesMax: 4_096 }
const mark = '"cache_control":{"type":"ephemeral"}'
/** Closes a string before the word and opens one behind it: read from there on, strings and what is between change places. */
const crooked = '"a"cache_control":[[ "'

const repeated = (text: string, bytes: number): string => text.repeat(Math.ceil(bytes / text.length))
const many = (text: string, bytes: number): string => repeated(`${text},`, bytes).slice(0, -1)
const ofMessages = (text: string): string => `{"model":"m","messages":[${text}]}`
const ofInput = (text: string): string => `{"model":"m","input":[${text}]}`

type Shape = (bytes: number) => string

const shapes: readonly (readonly [string, Shape])[] = [
  ['messages', (bytes) => ofMessages(many('{"role":"user","content":"a"}', bytes))],
  ['messages before one mark', (bytes) => ofMessages(`${many('{"role":"user"}', bytes)},{${mark}}`)],
  [
    'messages before a mark outside',
    (bytes) => `{"model":"m","messages":[${many('{"role":"user"}', bytes)}],"x":{${mark}}}`,
  ],
  ['marks in one message', (bytes) => ofMessages(`{"content":[${many(`{${mark}}`, bytes)}]}`)],
  ['marks in each message', (bytes) => ofMessages(many(`{${mark}}`, bytes))],
  ['words that are no marks', (bytes) => ofMessages(`{"content":[${many('"cache_control"', bytes)}]}`)],
  ['marks in strings that are none', (bytes) => ofMessages(many(crooked, bytes))],
  [
    'marks in strings that are none, before a long text',
    (bytes) => ofMessages(`${many(crooked, bytes / 2)},"${repeated('y', bytes / 2)}"`),
  ],
  ['words of the system', (bytes) => ofMessages(many('{"content":"a","role":"system"}', bytes))],
  ['messages that are no JSON inside', (bytes) => ofMessages(many('{"role" "system"}', bytes))],
  ['quotes in a string', (bytes) => ofMessages(`{"content":"${repeated('\\"', bytes)}"}`)],
  ['backslashes in a string', (bytes) => ofMessages(`{"content":"${repeated('\\\\', bytes)}"}`)],
  ['a long text', (bytes) => ofMessages(`{"content":"${repeated('a', bytes)}"}`)],
  ['spaces', (bytes) => ofMessages(`{"content":1${repeated(' ', bytes)}}`)],
  ['spaces around nothing', (bytes) => ofInput(`"a",${repeated(' ,', bytes)}1`)],
  ['strings of nothing', (bytes) => ofInput(many('""', bytes))],
  ['objects of nothing', (bytes) => ofInput(many('{}', bytes))],
  ['lists in lists', (bytes) => ofInput(many('[{"a":[[[[]]]]}]', bytes))],
  ['tokens', (bytes) => ofInput(many('1', bytes))],
  ['names of a conversation', (bytes) => `{"model":"m","metadata":{${many('"session_id":"s"', bytes)}}}`],
  ['keys that nobody knows', (bytes) => `{"model":"m",${many('"conversation_i":1', bytes)}}`],
  ['one key again and again', (bytes) => `{"model":"m",${many('"messages":[{}]', bytes)}}`],
]

describe.each(shapes)('of %s', (_what, shape) => {
  it('each byte is looked at a few times', () => {
    const source = Buffer.from(shape(bodyBytes))
    const { bytes, read } = countedBytes(source)
    const { noticed } = readJsonBody(bytes, rules)
    sessionNames({}, bytes, noticed)
    promptPieces(bytes, noticed)
    expect(keptReference(bytes)).toBeNull()
    expect(read()).toBeGreaterThan(source.length)
    expect(read() / source.length).toBeLessThan(readsPerByteMax)
  })
})

describe('of the largest body and the most messages', () => {
  const sizeBytes = 10 * 1_048_576
  const count = 4_096
  const longest = (text: string): string =>
    `{"model":"m","messages":[${`${text},`.repeat(count - 1)}"${'y'.repeat(sizeBytes - count * text.length)}"],"x":{${mark}}}`

  it.each([
    ['messages before one mark', longest('{"role":"user"}')],
    ['marks in strings that are none', longest(crooked)],
  ])('%s: what it is told by is read in the time of a test', (_what, text) => {
    const reader = new PromptReader(balancingOptions.parse({}).prefixes)
    const body = readJsonBody(Buffer.from(text), rules)
    const { print } = reader.read(body, { conversation: null, person: null }, 'k')
    expect(print?.bytes).toBeGreaterThan(sizeBytes / 2)
  })
})
