import { expect, test } from 'vitest'
import { blankComments, blankStrings } from './code-only.ts'

const codeOnly = (text: string) => blankStrings(blankComments(text)).replaceAll(/ +/g, ' ').trim()

test.each([
  ['a line comment', 'x // fetch()', 'x'],
  ['a block comment', 'x /* fetch() */ y', 'x y'],
  ['a string', "f('fetch()')", 'f( )'],
  ['a string with an escaped quote', String.raw`f('it\'s fetch()') + g`, 'f( ) + g'],
  ['a template', 'f(`fetch()`) + g', 'f( ) + g'],
  ['a substitution, which is code', 'f(`a${fetch({ a: {} })}b`) + g', 'f( fetch({ a: {} }) ) + g'],
  ['a template in a template', 'f(`a${g(`b${fetch()}c`)}d`) + h', 'f( g( fetch() ) ) + h'],
  ['two substitutions', '`${a}x${b}` + c', 'a b + c'],
  ['a regular expression with a quote', "const a = /'/g; fetch()", "const a = /'/g; fetch()"],
  ['a regular expression with a slash in a class', "f(/[/']/) + 'fetch'", "f(/[/']/) +"],
  ['a division', "a / b; 'x' / c", 'a / b; / c'],
  ['an url in a string', "f('http://x') // y", 'f( )'],
])('%s', (_what, text, expected) => {
  expect(codeOnly(text)).toBe(expected)
})

test('lines stay where they were', () => {
  expect(blankComments('/* a\nb\n*/\nx').split('\n')).toHaveLength(4)
  expect(blankStrings('`a\nb`\nx').split('\n')).toEqual(['  ', '  ', 'x'])
})
