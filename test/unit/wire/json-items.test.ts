import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { ItemCursor } from '../../../src/wire/json-items.ts'

function itemsOf(text: string): string[] {
  const bytes = Buffer.from(text)
  const cursor = new ItemCursor(bytes, text.indexOf('['))
  const items: string[] = []
  while (cursor.next()) items.push(bytes.toString('utf8', cursor.start, cursor.end))
  return items
}

it.each([
  ['[]', []],
  ['[ ]', []],
  ['[1]', ['1']],
  ['[ 1 , "a,]" , {"b":[1,2]} ]', ['1', '"a,]"', '{"b":[1,2]}']],
  // Not JSON inside, which is for the host to say: it comes to an end all the same.
  ['[1 2,,3]', ['1 2', '', '3']],
  ['[1,]', ['1']],
])('%s has the items %j', (text, items) => {
  expect(itemsOf(text)).toEqual(items)
})

it('a string is over at a quote that is none of its own, wherever that stands', () => {
  for (let length = 0; length < 100; length++) {
    for (const end of ['\\', '\\\\', '"', '\\"', '", "']) {
      const texts = ['x'.repeat(length) + end, `${'"'.repeat(length)}${end}`, 'y']
      expect(itemsOf(JSON.stringify(texts)).map((item) => JSON.parse(item) as unknown)).toEqual(texts)
    }
  }
})

it('any list: its items, whatever is between them', () => {
  fc.assert(
    fc.property(fc.array(fc.json()), fc.constantFrom('', ' ', '\n\t '), (items, space) => {
      const text = `[${space}${items.join(`${space},${space}`)}${space}]`
      expect(itemsOf(text)).toEqual(items.map((item) => item.trim()))
    }),
  )
})
