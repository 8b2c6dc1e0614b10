import { expect, test } from 'vitest'
import { mediaType } from '../../../src/wire/media-type.ts'

test.each<[string | string[] | undefined, string]>([
  [undefined, ''],
  ['', ''],
  ['application/json', 'application/json'],
  ['Application/JSON', 'application/json'],
  ['text/event-stream; charset=utf-8', 'text/event-stream'],
  ['text/event-stream;charset=utf-8', 'text/event-stream'],
  [' text/html ; a="b;c"', 'text/html'],
  [';', ''],
  [['application/json', 'text/html'], 'application/json'],
  [[], ''],
])('of %j is %j', (contentType, type) => {
  expect(mediaType(contentType)).toBe(type)
})
