import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { jsonDepthMax } from '../../../src/wire/json-members.ts'
import { nameCharsMax, readJsonBody, spliceBody } from '../../../src/wire/request-body.ts'
import { OddJson, oddKey, oddText, oddValue, whims } from './odd-json.ts'

const choicesMax = 16
const messagesMax = 4_096
const read = (text: string | Buffer) => readJsonBody(Buffer.from(text), { choicesMax, messagesMax })
const readObject = (body: object) => read(JSON.stringify({ model: 'm', ...body }))

/** Code and param of the refusal, and that its sentence names what is wrong. */
function refusal(text: string | Buffer): { code: string; param: string | undefined; message: string } {
  try {
    read(text)
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, param: error.detail.param, message: error.message }
  }
  throw new Error(`was not refused: ${text.toString()}`)
}

describe('readJsonBody', () => {
  test('a body with a model alone has the defaults of the API', () => {
    expect(read('{"model":"m"}')).toMatchObject({
      model: 'm',
      stream: false,
      usageAsked: false,
      choices: 1,
      hasTools: false,
      previousResponseId: null,
    })
  })

  test('what is null counts as not there', () => {
    const nothing = { stream: null, stream_options: null, n: null, previous_response_id: null, tools: null }
    expect(readObject(nothing)).toMatchObject({ stream: false, usageAsked: false, choices: 1, hasTools: false })
    expect(readObject({ stream_options: { include_usage: null } }).usageAsked).toBe(false)
  })

  test('reads what decides', () => {
    const body = { stream: true, stream_options: { include_usage: true }, n: 2, tools: [], previous_response_id: 'r' }
    expect(readObject(body)).toMatchObject({
      stream: true,
      usageAsked: true,
      choices: 2,
      hasTools: true,
      previousResponseId: 'r',
    })
  })

  test('num_ctx is read however a number of tokens may be written, and left to the host where it is none', () => {
    const none = [null, 0, -1, 1.5, '', '4096.5', 'many', [1]]
    expect(none.map((num_ctx) => readObject({ num_ctx }).numCtx)).toEqual(none.map(() => null))
    const written = ['4096', '4096.0', '4.096e3', `4096.${'0'.repeat(60)}`, '"4096"', '" +4_096.0 "', '"\\u0034096"']
    expect(written.map((text) => read(`{"model":"m","num_ctx":${text}}`).numCtx)).toEqual(written.map(() => 4_096))
    expect(read('{"model":"m"}').numCtx).toBeNull()
    // The last one counts, as where Python reads it.
    expect(read('{"model":"m","num_ctx":1,"num_ctx":2}').numCtx).toBe(2)
  })

  test('nothing that is inherited is read', () => {
    expect(refusal('{"__proto__":{"model":"m"}}')).toMatchObject({ code: 'invalid_request', param: 'model' })
    expect(read('{"model":"m","__proto__":{"stream":true,"n":99}}')).toMatchObject({ stream: false, choices: 1 })
  })

  test('keys of nested objects are not those of the body', () => {
    const inner = { model: 'x', stream: true, n: 99, stream_options: 7 }
    expect(readObject({ metadata: inner, list: [inner] })).toMatchObject({ model: 'm', stream: false, choices: 1 })
  })

  test.each(['', '{', '{"model":"m"', '{"model":"m"} x', "{'model':'m'}", '\uFEFF{"model":"m"}', '{"model":"\n"}'])(
    '%j is not JSON',
    (text) => {
      expect(refusal(text).code).toBe('invalid_json')
    },
  )

  test.each(['[]', '"m"', '7', 'null', 'true'])('%s is JSON, and no object', (text) => {
    expect(refusal(text).code).toBe('invalid_json')
    expect(refusal(text).message).toContain('object')
  })

  test('a body nested deeper than hosts can be trusted with is refused, and at the bound it is not', () => {
    const nested = (levels: number) => `{"model":"m","a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    expect(read(nested(jsonDepthMax)).model).toBe('m')
    for (const levels of [jsonDepthMax + 1, 1_000_000]) {
      expect(refusal(nested(levels))).toMatchObject({ code: 'invalid_json', param: undefined })
      expect(refusal(nested(levels)).message).toContain(`${jsonDepthMax} levels`)
    }
  })

  test('messages are counted wherever they stand, in whatever spelling', () => {
    const list = (count: number) => `[${Array.from({ length: count }, () => '{"a":[1,2]}').join()}]`
    expect(read(`{"model":"m","messages":${list(messagesMax)}}`).model).toBe('m')
    for (const key of ['messages', 'Messages', String.raw`m\u0065ssages`]) {
      const text = `{"model":"m","${key}":${list(messagesMax + 1)},"messages":[]}`
      expect(refusal(text)).toMatchObject({ code: 'invalid_request', param: 'messages' })
    }
  })

  test.each(['{"model":"m",}', '{"model":"m","a":[}]}', '{"model":"m","a":01}', '{"model":"m"}\0', '{"model":"\\x"}'])(
    'what could be read in two ways is refused: %j',
    (text) => {
      expect(refusal(text).code).toBe('invalid_json')
    },
  )

  test.each(['{"model":"m","a":[,]}', '{"model":"m","a":{b:tru}}', '{"model":"m","a":"\n\\x"}'])(
    'what nobody here reads is left to the host: %j',
    (text) => {
      expect(read(text).model).toBe('m')
    },
  )

  test('a name is what a JSON parser makes of it, however it is written', () => {
    const letters = fc.constantFrom('a', '/', ' ', '~', '\u007f', 'é', '😀', '"', '\\', '\n', '\ud800')
    const names = fc.array(letters, { minLength: 1, maxLength: 12 }).map((list) => list.join(''))
    fc.assert(
      fc.property(names, fc.boolean(), (name, escapes) => {
        const plain = JSON.stringify(name)
        const escaped = name.replace(/[^]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
        const text = escapes ? `"${escaped}"` : plain
        const body = read(`{"model":${text},"previous_response_id":${text}}`)
        expect([body.model, body.previousResponseId]).toEqual([name, name])
      }),
    )
  })

  test.each(['model', 'previous_response_id'])('"%s" has a bound, however it is written', (key) => {
    const others = key === 'model' ? '' : '"model":"m",'
    const named = (name: string) => `{${others}"${key}":"${name}"}`
    for (const char of ['x', '\u4f60', '\\u4f60', '\\"']) {
      expect(read(named(char.repeat(nameCharsMax)))).toBeDefined()
      for (const tooLong of [nameCharsMax + 1, 10_000]) {
        const refused = refusal(named(char.repeat(tooLong)))
        expect(refused).toMatchObject({ code: 'invalid_request', param: key })
        expect(refused.message).toContain(String(nameCharsMax))
      }
    }
  })

  test('of tools and prompt the last one counts, and no other key that resembles them', () => {
    expect(read('{"model":"m","tools":[],"tools":null}').hasTools).toBe(false)
    expect(read(String.raw`{"model":"m","tools":null,"t\u006fols":[]}`).hasTools).toBe(true)
    expect(read('{"model":"m","prompt":"x","prompt":["a","b"],"Prompt":7,"Tools":[]}')).toMatchObject({
      choices: 2,
      hasTools: false,
    })
  })

  test.each<[string, unknown[]]>([
    ['model', [undefined, null, '', 7, true, [], {}, ['m']]],
    ['stream', ['true', 1, 0, [], {}]],
    ['stream_options', ['x', 7, true, [], [{}]]],
    ['stream_options.include_usage', [{ include_usage: 'yes' }, { include_usage: 1 }, { include_usage: {} }]],
    ['n', ['2', 0, -1, 1.5, choicesMax + 1, 1e308, true, [], {}]],
    ['previous_response_id', [7, true, [], {}]],
  ])('%s of a wrong type is refused by its name', (param, values) => {
    const [key = ''] = param.split('.')
    for (const value of values) {
      const refused = refusal(JSON.stringify({ model: 'm', [key]: value }))
      expect(refused).toMatchObject({ code: 'invalid_request', param })
      expect(refused.message).toContain(`"${param}"`)
    }
  })

  test('a number beyond all numbers is no n', () => {
    expect(refusal('{"model":"m","n":1e999999999}').param).toBe('n')
    expect(refusal(`{"model":"m","n":${'9'.repeat(100_000)}}`).param).toBe('n')
  })

  test('n at its bounds', () => {
    expect(readObject({ n: 1 }).choices).toBe(1)
    expect(readObject({ n: choicesMax }).choices).toBe(choicesMax)
    expect(read('{"model":"m","n":2.0}').choices).toBe(2)
  })

  test.each<[unknown, number]>([
    ['one text', 1],
    [['one', 'two', 'three'], 3],
    [[1, 2, 3], 1],
    [[[1, 2], [3]], 2],
    [[], 1],
    [null, 1],
    [{ id: 'stored' }, 1],
  ])('a prompt of %j makes %i choices, and n times as many', (prompt, choices) => {
    expect(readObject({ prompt }).choices).toBe(choices)
    expect(readObject({ prompt, n: 2 }).choices).toBe(2 * choices)
  })

  test.each(['model', 'stream', 'stream_options', 'n', 'previous_response_id'])('"%s" twice is refused', (key) => {
    const values: Record<string, string> = { model: '"m"', stream: 'true', n: '1', previous_response_id: '"r"' }
    const value = values[key] ?? '{}'
    const escaped = `\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}`
    const others = key === 'model' ? '' : '"model":"m",'
    for (const second of [key, escaped]) {
      for (const [one, two] of [
        [key, second],
        [second, key],
      ]) {
        const text = `{${others}"${one}":${value},"a":{"${key}":1},"${two}":${value}}`
        expect(refusal(text)).toMatchObject({ code: 'invalid_request', param: key })
      }
    }
  })

  test.each(['model', 'stream', 'n', 'previous_response_id'])('"%s" cannot be hidden by escapes', (key) => {
    const values: Record<string, string> = { model: '"m"', stream: 'true', n: '2', previous_response_id: '"r"' }
    const escaped = `\\u${key.charCodeAt(0).toString(16).padStart(4, '0')}${key.slice(1)}`
    // With it some versions of V8 misread the key in the body: https://github.com/nodejs/node/issues/63785
    const misread = escaped.slice(0, key.length).replace('\\', String.raw`\\`)
    const others = key === 'model' ? '' : '"model":"m",'
    for (let time = 0; time < 100; time++) JSON.parse(`{${others}"${misread}":true}`)
    expect(read(`{${others}"${escaped}":${values[key]}}`)).toMatchObject({
      model: 'm',
      stream: key === 'stream',
      choices: key === 'n' ? 2 : 1,
      previousResponseId: key === 'previous_response_id' ? 'r' : null,
    })
  })

  test.each<[string, string]>([
    ['model', 'Model'],
    ['model', 'MODEL'],
    ['model', String.raw`\u004dodel`],
    ['model', String.raw`\model`],
    ['stream', 'Stream'],
    ['stream', '\u017ftream'],
    ['stream', String.raw`\u017Ftream`],
    ['stream_options', 'Stream_Options'],
    ['stream_options', 'stream_option\u017f'],
    ['n', 'N'],
    ['previous_response_id', 'previous_re\u017fponse_id'],
  ])('"%s" is not to be had as "%s", which some hosts read and others do not', (param, key) => {
    for (const text of [`{"model":"m","${key}":"evil"}`, `{"${key}":null,"model":"m"}`]) {
      const refused = refusal(text)
      expect(refused).toMatchObject({ code: 'invalid_request', param })
      expect(refused.message).toContain(`Write "${param}" in small letters`)
    }
  })

  test('include_usage neither', () => {
    const param = 'stream_options.include_usage'
    expect(refusal('{"model":"m","stream_options":{"Include_Usage":true}}')).toMatchObject({
      code: 'invalid_request',
      param,
    })
    expect(readObject({ stream_options: { Model: 1 }, metadata: { Model: 'x' } }).usageAsked).toBe(false)
  })

  test('include_usage twice is refused: hosts differ on which one counts', () => {
    const options = String.raw`{"include_usage":true,"include_\u0075sage":false}`
    expect(refusal(`{"model":"m","stream_options":${options}}`)).toMatchObject({
      code: 'invalid_request',
      param: 'stream_options.include_usage',
    })
  })

  test('any other key may come twice: that is the host’s affair', () => {
    const text = '{"a":1,"model":"m","a":2,"stream_options":{"a":1,"a":2}}'
    expect(spliceBody(read(text), { model: 'm', askUsage: false }).toString()).toBe(text)
  })
})

describe('spliceBody', () => {
  const splice = (text: string, model = 'm', askUsage = true) => spliceBody(read(text), { model, askUsage }).toString()
  const asked = '"stream_options":{"include_usage":true}'

  test('with nothing to change gives the very bytes', () => {
    const body = read('{"model":"m"}')
    expect(spliceBody(body, { model: 'm', askUsage: false })).toBe(body.bytes)
  })

  test.each([
    ['{"model":"m"}', `{${asked},"model":"m"}`],
    [' { "model" : "m" } ', ` {${asked}, "model" : "m" } `],
    ['{"stream_options":null,"model":"m"}', `{${asked},"model":"m"}`],
    ['{"stream_options":{},"model":"m"}', `{${asked},"model":"m"}`],
    ['{"stream_options":{ },"model":"m"}', '{"stream_options":{"include_usage":true },"model":"m"}'],
    ['{"stream_options":{"include_usage":false},"model":"m"}', `{${asked},"model":"m"}`],
    ['{"stream_options":{"include_usage":null},"model":"m"}', `{${asked},"model":"m"}`],
    ['{"stream_options":{"include_usage":true},"model":"m"}', `{${asked},"model":"m"}`],
    [
      '{"stream_options": {"a" : {"include_usage":false} },"model":"m"}',
      '{"stream_options": {"include_usage":true,"a" : {"include_usage":false} },"model":"m"}',
    ],
    [
      '{"model":"m","stream_options":{"a":1, "include_usage" : false ,"b":2}}',
      '{"model":"m","stream_options":{"a":1, "include_usage" : true ,"b":2}}',
    ],
  ])('asks for usage in %s', (text, result) => {
    expect(splice(text)).toBe(result)
  })

  test('a model name is written as JSON', () => {
    expect(splice('{"model":"m"}', 'a "b"\\\n🦀', false)).toBe(String.raw`{"model":"a \"b\"\\\n🦀"}`)
  })

  test('a name that the client wrote with escapes is left as it is', () => {
    const text = String.raw`{"model":"\u006d"}`
    expect(splice(text, 'm', false)).toBe(text)
  })

  test('bytes that are no UTF-8, lone surrogates and NULs reach the host as they came', () => {
    const head = Buffer.from('{"model":"m","a":"')
    const odd = Buffer.from([0xff, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80])
    const tail = Buffer.from(String.raw`\ud800\u0000 \udc00"}`)
    const spliced = spliceBody(read(Buffer.concat([head, odd, tail])), { model: 'other', askUsage: false })
    expect(spliced).toEqual(Buffer.concat([Buffer.from('{"model":"other","a":"'), odd, tail]))
  })
})

/** What the client writes, and what must stand in its place when it goes to the host. */
type Piece = readonly [before: string, after: string]

const same = (text: string): Piece => [text, text]
const inOneLine = (odd: OddJson, members: readonly Piece[][]): Piece[] =>
  members.flatMap((member, index) => [...(index === 0 ? [] : [same(`${odd.space()},${odd.space()}`)]), ...member])

type Others = readonly (readonly [key: string, value: unknown])[]
type Options = { others: Others; included: boolean | null | undefined } | null

function optionsPieces(odd: OddJson, options: Options, askUsage: boolean): Piece[] {
  const key = same(odd.member('stream_options', ''))
  if (options === null) return [key, ['null', askUsage ? '{"include_usage":true}' : 'null']]
  const members = options.others.map(([name, value]) => [same(odd.member(name, odd.value(value)))])
  const { included } = options
  if (included !== undefined) {
    members.push([same(odd.member('include_usage', '')), [String(included), String(askUsage || included)]])
  }
  const inserted = askUsage && included === undefined ? `"include_usage":true${members.length === 0 ? '' : ','}` : ''
  return [key, same('{'), ['', inserted], same(odd.space()), ...inOneLine(odd, members), same(`${odd.space()}}`)]
}

test('any body: model and usage change, every other byte stays', () => {
  const others = fc.array(
    fc.tuple(
      oddKey.map((key) => `x${key}`),
      oddValue,
    ),
    { maxLength: 2 },
  )
  const made = fc.record({
    others: fc.tuple(others, others, others),
    model: oddText.filter((text) => text !== ''),
    newModel: oddText,
    options: fc.option(fc.option(fc.record({ others, included: fc.constantFrom(undefined, null, true, false) })), {
      nil: undefined,
    }),
    turned: fc.boolean(),
    askUsage: fc.boolean(),
    whims,
  })
  fc.assert(
    fc.property(made, ({ model, newModel, options, askUsage, ...body }) => {
      const odd = new OddJson(body.whims)
      const [first, second, third] = body.others.map((list) =>
        list.map(([name, value]) => [same(odd.member(name, odd.value(value)))]),
      ) as [Piece[][], Piece[][], Piece[][]]
      const modelText = odd.text(model)
      const modelPieces = [
        same(odd.member('model', '')),
        [modelText, newModel === model ? modelText : JSON.stringify(newModel)] as const,
      ]
      const members = [
        ...first,
        modelPieces,
        ...second,
        ...(options === undefined ? [] : [optionsPieces(odd, options, askUsage)]),
        ...third,
      ]
      const pieces = [
        same(`${odd.space()}{`),
        ['', askUsage && options === undefined ? '"stream_options":{"include_usage":true},' : ''] as const,
        same(odd.space()),
        ...inOneLine(odd, body.turned ? members.toReversed() : members),
        same(`${odd.space()}}${odd.space()}`),
      ]
      const text = pieces.map(([before]) => before).join('')
      const request = read(text)
      expect(request.model).toBe(model)
      expect(request.usageAsked).toBe(options?.included ?? false)
      const spliced = spliceBody(request, { model: newModel, askUsage }).toString()
      expect(spliced).toBe(pieces.map(([, after]) => after).join(''))
      const sent = JSON.parse(text) as { stream_options?: object | null }
      const asked = askUsage ? { stream_options: { ...sent.stream_options, include_usage: true } } : {}
      expect(JSON.parse(spliced)).toEqual({ ...sent, model: newModel, ...asked })
    }),
    { numRuns: 500 },
  )
})
