import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { readMultipartBody } from '../../../src/wire/multipart.ts'
import { nameCharsMax, spliceBody } from '../../../src/wire/request-body.ts'

const boundary = 'X-7d4'
const contentType = `multipart/form-data; boundary=${boundary}`

interface Part {
  /** The value of Content-Disposition behind `form-data`. */
  readonly disposition: string
  readonly body: string | Buffer
  readonly more?: string
}

const field = (name: string, body: string | Buffer): Part => ({ disposition: `; name="${name}"`, body })
const file = (body: string | Buffer, name = 'file'): Part => ({
  disposition: `; name="${name}"; filename="a.wav"`,
  body,
  more: 'Content-Type: audio/wav\r\n',
})

function form(parts: readonly Part[], mark = boundary): Buffer {
  const pieces = parts.map(({ disposition, body, more = '' }) =>
    Buffer.concat([
      Buffer.from(`--${mark}\r\nContent-Disposition: form-data${disposition}\r\n${more}\r\n`),
      Buffer.from(body),
      Buffer.from('\r\n'),
    ]),
  )
  return Buffer.concat([...pieces, Buffer.from(`--${mark}--\r\n`)])
}

const read = (bytes: Buffer, type = contentType) => readMultipartBody(bytes, type)

function refusal(bytes: Buffer, type = contentType): { code: string; param: string | undefined; message: string } {
  try {
    read(bytes, type)
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, param: error.detail.param, message: error.message }
  }
  throw new Error('was not refused')
}

describe('the model', () => {
  const audio = file(Buffer.from([0, 255, 13, 10, 13, 10, 45, 45]))

  test.each<[string, Part[]]>([
    ['first', [field('model', 'whisper'), audio]],
    ['last', [audio, field('language', 'en'), field('model', 'whisper')]],
    ['between', [audio, field('model', 'whisper'), field('prompt', 'x')]],
    ['with spaces around', [audio, field('model', ' whisper\r\n')]],
    ['with a content type', [{ ...field('model', 'whisper'), more: 'Content-Type: text/plain\r\n' }]],
    ['with its name bare', [{ disposition: '; name=model', body: 'whisper' }]],
    ['with its name in another place', [{ disposition: ';  x="1" ;  NAME="model"', body: 'whisper' }]],
  ])('%s', (_where, parts) => {
    const bytes = form(parts)
    const body = read(bytes)
    expect(body).toMatchObject({ model: 'whisper', stream: false, usageAsked: false, choices: 1, usageEdit: null })
    expect(spliceBody(body, { model: 'whisper', askUsage: true })).toBe(bytes)
    expect(spliceBody(body, { model: 'base.en', askUsage: true })).toEqual(
      form(parts.map((part) => (isModel(part) ? { ...part, body: 'base.en' } : part))),
    )
  })

  const isModel = ({ disposition }: Part) => /model/.test(disposition) && !disposition.includes('filename')

  test.each<[string, Part[], RegExp]>([
    ['missing', [audio], /no field "model"/],
    ['there twice', [field('model', 'a'), field('model', 'a')], /twice/],
    ['empty', [field('model', '')], /empty/],
    ['blank', [field('model', ' \t ')], /empty/],
    ['longer than any name', [field('model', 'x'.repeat(nameCharsMax + 1))], /longer/],
    ['a file’s worth of spaces and a name', [field('model', `${' '.repeat(1_000_000)}m`)], /longer/],
  ])('%s is refused by its name', (_what, parts, message) => {
    const refused = refusal(form(parts))
    expect(refused).toMatchObject({ code: 'invalid_request', param: 'model' })
    expect(refused.message).toMatch(message)
  })

  test.each(['models', 'model[]', ' model', 'xmodel', '', 'x\u017ftream'])(
    'a field called %j is another one',
    (name) => {
      expect(read(form([field(name, 'other'), field('model', 'whisper')])).model).toBe('whisper')
    },
  )

  test('what stands in quotes of another parameter is no name', () => {
    const part = { disposition: '; x="; name=model"; name="other"', body: 'other' }
    expect(read(form([part, field('model', 'whisper')])).model).toBe('whisper')
  })

  test('a part without headers is no field', () => {
    const bare = Buffer.from(`--${boundary}\r\n\r\nbare\r\n`)
    expect(read(Buffer.concat([bare, form([field('model', 'whisper')])])).model).toBe('whisper')
  })

  test('a part without an empty line is refused: a reader of bare LF could find one, and a field', () => {
    for (const end of ['\r\n', '\n\nother\r\n', '\r\rother\r\n']) {
      const broken = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="model"${end}`)
      const refused = refusal(Buffer.concat([broken, form([field('model', 'whisper')])]))
      expect(refused).toMatchObject({ code: 'invalid_request', param: undefined })
      expect(refused.message).toContain('empty line')
    }
  })

  test('text before the first boundary and behind the last is nothing', () => {
    const stray = Buffer.from('Content-Disposition: form-data; name="model"\r\n\r\nother\r\n')
    const bytes = Buffer.concat([stray, form([field('model', 'whisper')]), stray])
    expect(read(bytes).model).toBe('whisper')
  })
})

describe('stream', () => {
  test.each([
    ['true', true],
    [' true ', true],
    ['false', false],
    ['', false],
    ['1', false],
  ])('of %j is %s', (value, stream) => {
    expect(read(form([field('model', 'm'), field('stream', value)])).stream).toBe(stream)
  })
})

describe('a form that another reader could read in another way', () => {
  const whisper = field('model', 'whisper')
  const evil = (disposition: string, more = ''): Part => ({ disposition, body: 'evil', more })

  test.each<[string, string]>([
    ['a parameter that holds another', '; x="; filename=1"; name="model"'],
    ['the same for a word', '; x="; filename=1"; name=model'],
  ])('%s hides nothing', (_what, disposition) => {
    expect(read(form([evil(disposition)])).model).toBe('evil')
    expect(refusal(form([evil(disposition), whisper]))).toMatchObject({
      param: 'model',
      message: expect.stringContaining('twice') as string,
    })
  })

  test.each<[string, Part]>([
    ['a folded header', evil(';\r\n name="model"')],
    ['a header folded by a tab', evil(';\r\n\tname="model"')],
    ['a folded header of another name', evil('; name="x"', 'X: a\r\n b\r\n')],
    ['a header that LF ends', evil('; name="x"\nContent-Disposition: form-data; name="model"')],
    ['a header that CR ends', evil('; name="x"\rContent-Disposition: form-data; name="model"')],
    ['a header that a vertical tab ends', evil('; name="x"', 'X: a\vContent-Disposition: form-data; name="model"\r\n')],
    ['a line without a colon', evil('; name="x"', 'X\r\n')],
    ['a space before the colon', evil('; name="x"', 'Content-Disposition : form-data; name="model"\r\n')],
    ['two dispositions', evil('; name="x"', 'content-disposition: form-data; name="model"\r\n')],
    ['another kind of disposition', { ...evil(''), disposition: 'x; name="model"' }],
    ['a name twice', evil('; name="x"; name="model"')],
    ['a name twice, in capital letters', evil('; name="x"; NAME="model"')],
    ['a filename twice', evil('; name="x"; filename=a; filename=b')],
    ['an extended name', evil(`; name*=UTF-8''model`)],
    ['an extended name beside a plain one', evil(`; name="x"; name*=UTF-8''model`)],
    ['a name in pieces', evil('; name*0="mo"; name*1="del"')],
    ['an encoded word', evil('; name="=?utf-8?q?model?="')],
    ['an open quote', evil('; name="model')],
    ['a quote in a word', evil('; name=mod"el"')],
    ['text behind the quotes', evil('; name="model"x')],
    ['a space around the sign', evil('; name = "model"')],
    ['no semicolon', evil(' name="model"')],
    ['a comma', evil('; x=1, name="model"')],
    ['a quote escaped before a semicolon', evil(String.raw`; x="\"; name=model; y=\""`)],
  ])('%s is refused', (_what, part) => {
    for (const parts of [[part], [part, whisper], [whisper, part]]) {
      expect(refusal(form(parts))).toMatchObject({
        code: 'invalid_request',
        message: expect.stringMatching(/^A part of the form has /) as string,
      })
    }
  })

  test.each<[string, string, Part]>([
    ['model', 'a file', file('evil', 'model')],
    ['stream', 'a file', file('true', 'stream')],
    ['model', 'a file without a name', evil('; name="model"; filename=""')],
    ['model', 'a file of a modern name', evil(`; name=model; filename*=UTF-8''a`)],
    ['model', 'a file whose name is in pieces', evil('; name=model; filename*0=a')],
    ['model', 'another letter case', field('Model', 'evil')],
    ['stream', 'another letter case', field('STREAM', 'true')],
    ['stream', 'a long s', field('\u017ftream', 'true')],
    ['model', 'escapes', evil(String.raw`; name="mo\del"`)],
  ])('"%s" as %s is refused by its name', (param, _what, part) => {
    const refused = refusal(form([whisper, part]))
    expect(refused).toMatchObject({ code: 'invalid_request', param })
    expect(refused.message).toMatch(/^Write the field name|must not be a file/)
  })

  test('"stream" twice is refused', () => {
    const refused = refusal(form([whisper, field('stream', 'true'), field('stream', 'true')]))
    expect(refused).toMatchObject({ param: 'stream', message: expect.stringContaining('twice') as string })
  })

  test.each<[string, Part]>([
    ['a name with quotes', { disposition: String.raw`; name="file"; filename="say \"a\".wav"`, body: 'x' }],
    ['a name with a semicolon', { disposition: '; name="file"; filename="a; name=model.wav"', body: 'x' }],
    ['a name in two ways', { disposition: `; name="file"; filename="a"; filename*=UTF-8''%c3%a4`, body: 'x' }],
    ['a name beyond ASCII', { disposition: '; name="file"; filename="\u4f60\u597d.wav"', body: 'x' }],
    ['a path', { disposition: String.raw`; name="file"; filename="C:\audio\a.wav"`, body: 'x' }],
    ['a semicolon at its end', { disposition: '; name="file"; filename="a.wav";', body: 'x' }],
    ['headers of its own', { ...file('x'), more: 'Content-Type: audio/wav; x="y"\r\nX-Empty:\r\n' }],
  ])('and a file with %s is one', (_what, part) => {
    expect(read(form([part, whisper])).model).toBe('whisper')
  })
})

describe('the boundary', () => {
  test.each([
    [`multipart/form-data; boundary=${boundary}`],
    [`multipart/form-data; boundary="${boundary}"`],
    [`Multipart/Form-Data;BOUNDARY=${boundary}`],
    [`multipart/form-data; charset=utf-8; boundary=${boundary}; x=y`],
  ])('of %s', (type) => {
    expect(read(form([field('model', 'm')]), type).model).toBe('m')
  })

  test('in quotes may hold what is special elsewhere', () => {
    const odd = 'a b;c=(d)?.+'
    expect(read(form([field('model', 'm')], odd), `multipart/form-data; boundary="${odd}"`).model).toBe('m')
  })

  test('of 70 characters is the longest', () => {
    const longest = 'x'.repeat(70)
    expect(read(form([field('model', 'm')], longest), `multipart/form-data; boundary=${longest}`).model).toBe('m')
    expect(refusal(form([field('model', 'm')], `${longest}x`), `multipart/form-data; boundary=${longest}x`).code).toBe(
      'invalid_request',
    )
  })

  test.each([
    'multipart/form-data',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=""',
    `multipart/form-data; boundary=${boundary}; boundary=other`,
    `multipart/form-data; x="; boundary=${boundary}"`,
    `multipart/form-data; boundary=${boundary}; boundary*=UTF-8''other`,
    `multipart/form-data; boundary*0=${boundary}`,
    String.raw`multipart/form-data; boundary="X\-7d4"`,
    `multipart/form-data; boundary="${boundary}`,
    `multipart/form-data boundary=${boundary}`,
  ])('is missing, or there in two readings, in %s', (type) => {
    expect(refusal(form([field('model', 'm')]), type)).toMatchObject({ code: 'invalid_request', param: undefined })
  })

  test('of another form is refused', () => {
    expect(refusal(form([field('model', 'm')], 'other')).message).toContain('boundary')
    expect(refusal(Buffer.alloc(0)).message).toContain('boundary')
  })

  test('may have spaces behind it', () => {
    const text = form([field('model', 'm'), field('x', 'y')]).toString()
    const padded = text.replaceAll(`--${boundary}\r\n`, `--${boundary} \t \r\n`)
    expect(read(Buffer.from(padded)).model).toBe('m')
  })
})

describe('a form that is cut', () => {
  const bytes = form([field('prompt', 'x'), field('model', 'whisper'), file('0123456789')])
  const end = bytes.lastIndexOf('--')

  test('anywhere before its last boundary is refused', () => {
    for (let cut = 0; cut < end; cut++) expect(refusal(bytes.subarray(0, cut)).code).toBe('invalid_request')
    expect(read(bytes.subarray(0, end + 2)).model).toBe('whisper')
  })
})

describe('bounds', () => {
  const padding = (bytes: number): Part => ({ ...field('model', 'm'), more: `X: ${'x'.repeat(bytes)}\r\n` })
  const headBytes = Buffer.byteLength('\r\nContent-Disposition: form-data; name="model"\r\nX: \r\n\r\n')

  test('headers of a part up to 8 KiB are looked through', () => {
    expect(read(form([padding(8_192 - headBytes)])).model).toBe('m')
    expect(refusal(form([padding(8_192 - headBytes + 1)])).message).toContain('empty line')
  })

  test('many parts are each looked at once', () => {
    const parts = Buffer.from(`--${boundary}\r\n\r\n\r\n`.repeat(40_000))
    expect(read(Buffer.concat([parts, form([field('model', 'm')])])).model).toBe('m')
  })
})

describe('binary content', () => {
  const lookAlikes = [
    `x--${boundary}`,
    `\r\n--${boundary}x\r\nContent-Disposition: form-data; name="model"\r\n\r\nother`,
    `\r\n--${boundary}-\r\n`,
    `\r\n--${boundary}x\n`,
    `\n--${boundary}x\r\n`,
    `\r\n-${boundary}--`,
    '\r\nContent-Disposition: form-data; name="model"\r\n\r\nother',
    '\r\n\r\n',
    '--',
    '\0\xff',
  ]

  test.each(lookAlikes)('%j is content', (text) => {
    const parts = [file(Buffer.from(`RIFF${text}WAVE`, 'latin1')), field('model', 'whisper')]
    const body = read(form(parts))
    expect(body.model).toBe('whisper')
    expect(spliceBody(body, { model: 'other', askUsage: false })).toEqual(form([parts[0]!, field('model', 'other')]))
  })

  test.each([
    `\n--${boundary}\r\n`,
    `\r--${boundary}\r\n`,
    `\r\n--${boundary}\n`,
    `\r\n--${boundary} \r`,
    `\n--${boundary}--\r\n`,
    `\r\n--${boundary}--\n`,
    `\r\n--${boundary}--x\r\n`,
  ])('%j is a boundary to some readers alone, so it is refused', (text) => {
    const part = `${text}Content-Disposition: form-data; name="model"\r\n\r\nother`
    const refused = refusal(form([file(`RIFF${part}`), field('model', 'whisper')]))
    expect(refused).toMatchObject({ code: 'invalid_request', param: undefined })
    expect(refused.message).toContain('line of its own')
  })

  test('any content, wherever the model stands: only the model is replaced', () => {
    const piece = fc.oneof(
      // Without CR, which could make a real delimiter of what follows.
      fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 13))),
      fc.constantFrom(...lookAlikes).map((text) => Buffer.from(text, 'latin1')),
    )
    const content = fc.array(piece, { maxLength: 5 }).map((pieces) => Buffer.concat(pieces))
    const parts = fc.array(
      content.map((bytes) => file(bytes)),
      { maxLength: 3 },
    )
    fc.assert(
      fc.property(parts, parts, (before, after) => {
        const written = (model: string) => form([...before, field('model', model), ...after])
        const body = read(written('whisper'))
        expect(body.model).toBe('whisper')
        expect(spliceBody(body, { model: 'a longer name', askUsage: true })).toEqual(written('a longer name'))
      }),
      { numRuns: 300 },
    )
  })
})
