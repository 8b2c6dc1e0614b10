import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { readMultipartBody } from '../../../src/wire/multipart.ts'
import { spliceBody } from '../../../src/wire/request-body.ts'

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
    ['beside a file of that name', [file('other', 'model'), field('model', 'whisper')]],
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
    ['there as a file alone', [file('whisper', 'model')], /no field "model"/],
    ['there as a file of a modern name', [{ disposition: "; name=model; filename*=UTF-8''a", body: 'x' }], /no field/],
    ['there twice', [field('model', 'a'), field('model', 'a')], /twice/],
    ['empty', [field('model', '')], /empty/],
    ['blank', [field('model', ' \t ')], /empty/],
  ])('%s is refused by its name', (_what, parts, message) => {
    const refused = refusal(form(parts))
    expect(refused).toMatchObject({ code: 'invalid_request', param: 'model' })
    expect(refused.message).toMatch(message)
  })

  test.each(['models', 'model[]', 'Model', ' model', 'xmodel', ''])('a field called %j is another one', (name) => {
    expect(read(form([field(name, 'other'), field('model', 'whisper')])).model).toBe('whisper')
  })

  test('what stands in quotes of another parameter is no name', () => {
    const part = { disposition: '; x="; name=model"; name="other"', body: 'other' }
    expect(read(form([part, field('model', 'whisper')])).model).toBe('whisper')
  })

  test('a part without headers is no field', () => {
    const bare = Buffer.from(`--${boundary}\r\n\r\nbare\r\n`)
    expect(read(Buffer.concat([bare, form([field('model', 'whisper')])])).model).toBe('whisper')
  })

  test('a part without an empty line does not take the headers of the next', () => {
    const broken = Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="x"\r\n`)
    expect(read(Buffer.concat([broken, form([field('model', 'whisper')])])).model).toBe('whisper')
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

  test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'multipart/form-data; boundary=""'])(
    'is missing in %s',
    (type) => {
      expect(refusal(form([field('model', 'm')]), type)).toMatchObject({ code: 'invalid_request', param: undefined })
    },
  )

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
    expect(refusal(form([padding(8_192 - headBytes + 1)])).param).toBe('model')
  })

  test('many parts without an end of their headers are each looked at once', () => {
    const parts = Buffer.from(`--${boundary}\r\n`.repeat(40_000))
    expect(read(Buffer.concat([parts, form([field('model', 'm')])])).model).toBe('m')
  })
})

describe('binary content', () => {
  const lookAlikes = [
    `x--${boundary}`,
    `\n--${boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nother`,
    `\r\n--${boundary}x\r\nContent-Disposition: form-data; name="model"\r\n\r\nother`,
    `\r\n--${boundary}-\r\n`,
    `\r\n--${boundary}\n`,
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
