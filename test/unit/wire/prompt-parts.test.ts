/** What of a body is the prompt, in the order of engines, whoever wrote it. */
import { describe, expect, it, test, vi } from 'vitest'
import { listPiecesMax, promptPieces } from '../../../src/wire/prompt-parts.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'

const rules = { choicesMax: 16, messagesMax: 100 }
const system = { role: 'system', content: 'be good' }
const user = { role: 'user', content: 'hello' }
const tools = [{ type: 'function', function: { name: 'read' } }]

/** Role and text of each piece. */
function piecesOf(body: object | string): [string, string][] {
  const text = typeof body === 'string' ? body : JSON.stringify({ model: 'm', ...body })
  const read = readJsonBody(Buffer.from(text), rules)
  return promptPieces(read.bytes, read.noticed).map(({ role, bytes, start, end }) => [
    role,
    bytes.toString('utf8', start, end),
  ])
}

const common = (value: unknown): [string, string] => ['common', JSON.stringify(value)]
const own = (value: unknown): [string, string] => ['own', JSON.stringify(value)]

describe.each([
  [
    'chat completions',
    { messages: [system, user, user], tools },
    [common(tools), common(system), own(user), own(user)],
  ],
  [
    'a developer’s words',
    { messages: [{ ...system, role: 'developer' }, user] },
    [common({ ...system, role: 'developer' }), own(user)],
  ],
  ['words of the system later on', { messages: [user, system] }, [own(user), own(system)]],
  ['Anthropic’s messages', { messages: [user], system: 'be good' }, [common('be good'), own(user)]],
  ['completions', { prompt: 'once' }, [own('once')]],
  ['several prompts', { prompt: ['one', 'two'] }, [own('one'), own('two')]],
  ['responses of a text', { input: 'hello', instructions: 'be good' }, [common('be good'), own('hello')]],
  ['responses of items', { input: [system, user] }, [common(system), own(user)]],
  ['nothing', {}, []],
])('of %s', (_what, body, pieces) => {
  it('tools come first, then the words of the system, then each message', () => {
    expect(piecesOf(body)).toEqual(pieces)
  })

  it('however the body is laid out and whatever else it says', () => {
    const other = Object.fromEntries(Object.entries({ stream: true, ...body, temperature: 1 }).toReversed())
    expect(piecesOf(JSON.stringify({ ...other, model: 'm' }))).toEqual(pieces)
    expect(
      piecesOf(JSON.stringify({ model: 'm', ...body }, null, 2)).map(([role, text]) => [
        role,
        JSON.stringify(JSON.parse(text)),
      ]),
    ).toEqual(pieces)
  })
})

test('what changes the very beginning of the prompt goes before all', () => {
  const body = { messages: [user], tools, reasoning_effort: 'high', chat_template_kwargs: { enable_thinking: false } }
  expect(piecesOf(body)).toEqual([['seed', '{"enable_thinking":false}'], ['seed', '"high"'], common(tools), own(user)])
})

test('the role is found wherever it stands in the message, and in nothing inside of it', () => {
  const late = { content: [{ role: 'user' }], role: 'system' }
  const inner = { content: [{ role: 'system' }], role: 'user' }
  expect(piecesOf({ messages: [late, inner] })).toEqual([common(late), own(inner)])
})

test.each(['[{"role" "system"}]', '[{"role":"system" "content":1},7,null]', '[,]', '[[[]]]'])(
  'messages that are no JSON inside are for the host to refuse: %s',
  (messages) => {
    expect(() => piecesOf(`{"model":"m","messages":${messages}}`)).not.toThrow()
  },
)

describe('the marks of caches that clients move along', () => {
  const mark = { cache_control: { type: 'ephemeral', ttl: '1h' } }
  const block = { type: 'text', text: 'said "cache_control": here, and {"cache_control":1}' }

  it('are no part of a message, wherever they stand in it', () => {
    const marked = {
      role: 'user',
      content: [{ ...block, ...mark }, { ...mark, ...block }, { type: 'text', ...mark, text: 'x' }, mark],
    }
    const plain = { role: 'user', content: [block, block, { type: 'text', text: 'x' }, {}] }
    const wanted = piecesOf({ messages: [plain, plain], system: [block], tools })
    expect(piecesOf({ messages: [marked, plain], system: [{ ...block, ...mark }], tools })).toEqual(wanted)
    expect(piecesOf({ messages: [plain, marked], system: [block], tools })).toEqual(wanted)
  })

  it('are part of it where they are text', () => {
    const text = { role: 'user', content: ['cache_control', 'x'] }
    expect(piecesOf({ messages: [text] })).toEqual([own(text)])
  })
})

describe('however many there are', () => {
  const spansOf = (value: unknown) => {
    const bytes = Buffer.from(JSON.stringify({ model: 'm', input: value }))
    return { bytes, noticed: readJsonBody(bytes, rules).noticed }
  }

  it('a mark is looked for once in the whole body, and not once more for each message', () => {
    const messages = [...Array.from({ length: 90 }, () => user), { ...user, cache_control: { type: 'ephemeral' } }]
    const { bytes, noticed } = spansOf(messages)
    const found = vi.spyOn(bytes, 'indexOf')
    expect(promptPieces(bytes, noticed)).toHaveLength(messages.length)
    // One for the mark, and one that finds no other.
    expect(found.mock.calls.filter(([value]) => typeof value !== 'number')).toHaveLength(2)
  })

  it('up to a bound each item is a piece, and beyond it the rest is one', () => {
    const pieces = (count: number): number => {
      const { bytes, noticed } = spansOf(Array.from({ length: count }, (_, at) => `item ${at}`))
      return promptPieces(bytes, noticed).length
    }
    expect([listPiecesMax - 1, listPiecesMax, listPiecesMax + 1].map(pieces)).toEqual([
      listPiecesMax - 1,
      listPiecesMax,
      listPiecesMax,
    ])
    const { bytes, noticed } = spansOf(Array.from({ length: listPiecesMax + 1 }, (_, at) => `item ${at}`))
    const { start, end } = promptPieces(bytes, noticed).at(-1) ?? { start: 0, end: 0 }
    expect(bytes.toString('utf8', start, end)).toBe(`"item ${listPiecesMax - 1}","item ${listPiecesMax}"]`)
  })

  it('the tokens of a prompt are one piece', () => {
    expect(piecesOf({ prompt: [1, 2, 3] })).toEqual([own([1, 2, 3])])
  })
})
