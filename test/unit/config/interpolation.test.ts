import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { interpolate, plainScalarValue } from '../../../src/config/interpolation.ts'

const environment = { KEY: 'secret', EMPTY: '', NESTED: '${KEY}' }

describe('interpolate', () => {
  test.each([
    ['${KEY}', 'secret'],
    ['a-${KEY}-b-${KEY}', 'a-secret-b-secret'],
    ['${NONE:-fallback}', 'fallback'],
    ['${EMPTY:-fallback}', 'fallback'],
    ['${KEY:-fallback}', 'secret'],
    ['${NONE:-}', ''],
    ['${NONE:-http://a:1/x}', 'http://a:1/x'],
    ['${EMPTY}', ''],
    ['$${KEY}', '${KEY}'],
    ['$$${KEY}', '$${KEY}'],
    // What a variable holds is not looked into again.
    ['${NESTED}', '${KEY}'],
    ['no variable, $5 and {braces}', 'no variable, $5 and {braces}'],
  ])('%s gives %s', (source, text) => {
    expect(interpolate(source, environment)).toMatchObject({ text, problems: [] })
  })

  test.each(['${}', '${1X}', '${KEY', '${A B}', '${KEY:=x}', '${KEY-x}'])(
    '%s is no reference and is refused',
    (source) => {
      const { problems } = interpolate(source, environment)
      expect(problems).toHaveLength(1)
      expect(problems[0]).toContain('$${')
    },
  )

  test('every variable that is not set is named, and no value is', () => {
    const { problems } = interpolate('${KEY} ${ONE} ${TWO}', environment)
    expect(problems).toHaveLength(2)
    expect(problems.join()).toMatch(/ONE is not set.*TWO is not set/s)
    expect(problems.join()).not.toContain('secret')
  })

  test('text without ${ stays as it is, and escaping gives back any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('$', '{', '}', 'a', ':', '-') }), (text) => {
        const escaped = text.replaceAll('${', '$$$${')
        // "$${" is how a literal "${" is written, so a dollar before it would be read as part of the escape.
        fc.pre(!text.includes('$${'))
        expect(interpolate(escaped, {})).toEqual({ text, changed: false, problems: [] })
      }),
    )
  })
})

describe('plainScalarValue', () => {
  test.each([
    ['8080', 8080],
    ['-1', -1],
    ['1.5', 1.5],
    ['true', true],
    ['False', false],
    ['', null],
    ['~', null],
    ['0x10', '0x10'],
    ['yes', 'yes'],
    ['1e', '1e'],
    ['127.0.0.1', '127.0.0.1'],
  ])('%j is %j', (text, value) => {
    expect(plainScalarValue(text)).toBe(value)
  })
})
