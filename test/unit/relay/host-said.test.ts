import { describe, expect, it, test } from 'vitest'
import { withoutRequest } from '../../../src/relay/host-said.ts'

const request = Buffer.from(JSON.stringify({ messages: [{ content: 'my password is hunter2, and "über" is a word' }] }))

describe('what a host said, for the log', () => {
  it.each([
    ['502 Bad Gateway: nginx', '502 Bad Gateway: nginx'],
    ['cannot serve: my password is hunter2', 'cannot serve: [redacted]'],
    ['my password is hunter2', '[redacted]'],
    ['before my password is hunter2, and behind', 'before [redacted]behind'],
    ['a is hunter2, b is hunter2', 'a[redacted]b[redacted]'],
    ['is "über" is a word here', 'is[redacted] here'],
    ['is \\"über\\" is a word here', 'is[redacted] here'],
    ['short: hunter', 'short: hunter'],
    ['no such path: C:\\new\\users', 'no such path: C:\\new\\users'],
    ['', ''],
  ])('%j is %j', (said, kept) => {
    expect(withoutRequest(said, request)).toBe(kept)
  })

  it('is left out where the request is gone, or too long to be looked through', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(65_537, 'x')])
      expect(withoutRequest('502', bytes)).toBe('[left out]')
    expect(withoutRequest('502', Buffer.alloc(65_536, 'x'))).toBe('502')
  })
})

/** `json.dumps` of Python escapes everything beyond ASCII. */
const escaped = (text: string, hex = (code: string) => code) =>
  text.replaceAll(/[\u007f-\uffff]/g, (char) => `\\u${hex(char.charCodeAt(0).toString(16).padStart(4, '0'))}`)
const bodyOf = (content: string) => JSON.stringify({ model: 'm', messages: [{ role: 'user', content }] })

const inJson = (text: string) => (text.startsWith('\\u') ? text : JSON.stringify(text).slice(1, -1))

const writings: Readonly<Record<string, (content: string) => string>> = {
  'as it is': bodyOf,
  'in lower case': (content) => escaped(bodyOf(content)),
  'in upper case': (content) => escaped(bodyOf(content), (code) => code.toUpperCase()),
  'every second character': (content) =>
    `{"input":"${Array.from(content, (char, at) => inJson(at % 2 === 0 ? char : escaped(char))).join('')}"}`,
  'every character': (content) =>
    `{"input":"${[...Array(content.length).keys()].map((at) => `\\u${content.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')}"}`,
  'as JSON in JSON': (content) => escaped(JSON.stringify({ arguments: escaped(JSON.stringify({ x: content })) })),
  'as a form': (content) => `--b\r\ncontent-disposition: form-data; name="prompt"\r\n\r\n${content}\r\n--b--\r\n`,
}
const prompts: Readonly<Record<string, string>> = {
  Cyrillic: 'мой пароль совсем простой',
  Chinese: '我的密码是非常秘密的一句话',
  German: 'Grüße: süßes Öl läuft über',
  emoji: 'ab😀😀😀😀cdefgh😎🇩🇪👩‍👩‍👧',
  marks: 'a<b> & "c"\\d/e\tf\ng\u0007h\u007fi',
}
const cases = Object.entries(prompts).flatMap(([what, prompt]) =>
  Object.keys(writings).map((how) => [what, how, prompt] as const),
)

describe('a request that is quoted', () => {
  test.each(cases)('%s, written %s', (_what, how, prompt) => {
    const sent = Buffer.from(writings[how]?.(prompt) ?? '')
    for (const quoted of [prompt, escaped(prompt), escaped(prompt, (code) => code.toUpperCase())])
      expect(withoutRequest(`502! ${quoted} !205`, sent)).toMatch(/^502!.?\[redacted\].?!205$/)
    for (const chars of [8, 9, 11])
      expect(withoutRequest(`502!!${prompt.slice(1, 1 + chars)}`, sent)).toBe('502!![redacted]')
    expect(withoutRequest('совсем другое', Buffer.from('{}'))).toBe('совсем другое')
  })

  test('in another spelling than JSON has, or escaped without end: left out', () => {
    const sent = Buffer.from(bodyOf('süß'))
    for (const said of [String.raw`b's\xc3\xbc\xc3\x9f'`, String.raw`\U0001f600`])
      expect(withoutRequest(said, sent)).toBe('[left out]')
    const deep = Buffer.from(`${'\\'.repeat(64)}u00fc`)
    expect(withoutRequest('502', deep)).toBe('[left out]')
  })
})
