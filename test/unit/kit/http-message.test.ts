import { expect, test } from 'vitest'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { MessageReader } from '../../kit/http-message.ts'

const streamed = Buffer.concat([
  responseBytes(200, { 'X-One': 'a', 'x-one': 'b' }, 'counted'),
  sseHeadBytes(),
  chunkBytes('data: 1\n\n'),
  chunkBytes('data: é\n\n'),
  Buffer.from(finalChunk),
  responseBytes(404, {}, ''),
])

test('reads the same messages however the bytes are cut', () => {
  for (let cut = 1; cut < streamed.length; cut += 1) {
    const reader = new MessageReader('response')
    for (let at = 0; at < streamed.length; at += cut) reader.feed(streamed.subarray(at, at + cut), at)
    expect(reader.messages.map(({ status, text, complete }) => ({ status, text, complete }))).toEqual([
      { status: 200, text: 'counted', complete: true },
      { status: 200, text: 'data: 1\n\ndata: é\n\n', complete: true },
      { status: 404, text: '', complete: true },
    ])
  }
})

test('keeps headers as they came and finds them by any case', () => {
  const reader = new MessageReader('response')
  reader.feed(streamed, 0)
  expect(reader.messages[0]?.headers.slice(1)).toEqual([
    ['X-One', 'a'],
    ['x-one', 'b'],
  ])
  expect(reader.messages[0]?.header('X-ONE')).toBe('a')
})

test('says when each piece came', () => {
  const reader = new MessageReader('response')
  reader.feed(sseHeadBytes(), 1)
  reader.feed(chunkBytes('a'), 2)
  reader.feed(Buffer.concat([chunkBytes('b'), chunkBytes('c')]), 3)
  expect(reader.messages[0]?.pieces.map(({ atMs, bytes }) => `${atMs}${bytes.toString()}`)).toEqual(['2a', '3b', '3c'])
})

test('a chunked body is whole only after its final chunk', () => {
  const reader = new MessageReader('response')
  reader.feed(Buffer.concat([sseHeadBytes(), chunkBytes('a'), Buffer.from('0\r\n')]), 0)
  expect(reader.messages[0]?.complete).toBe(false)
  reader.end('the connection ended')
  expect(reader.messages[0]).toMatchObject({ complete: false, cut: true, cutReason: 'the connection ended' })
})

test('a counted body that ends early is cut; one without framing is ended by the close', () => {
  const counted = new MessageReader('response')
  counted.feed(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcd'), 0)
  counted.end('fin')
  expect(counted.messages[0]).toMatchObject({ complete: false, cut: true })
  const unframed = new MessageReader('response')
  unframed.feed(Buffer.from('HTTP/1.1 200 OK\r\n\r\nabcd'), 0)
  unframed.end('fin')
  expect(unframed.messages[0]).toMatchObject({ complete: true, cut: false, text: 'abcd' })
})

test('interim answers, 204, 304 and answers to HEAD have no body', () => {
  const reader = new MessageReader('response')
  reader.feed(
    Buffer.from('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 -\r\n\r\nHTTP/1.1 304 -\r\ncontent-length: 9\r\n\r\n'),
    0,
  )
  expect(reader.messages.map(({ status, complete }) => [status, complete])).toEqual([
    [100, true],
    [204, true],
    [304, true],
  ])
  const bodyless = new MessageReader('response', { bodyless: true })
  bodyless.feed(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n'), 0)
  expect(bodyless.messages[0]?.complete).toBe(true)
})

test.each([
  ['a chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'],
  ['a chunk is longer', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n'],
  ['a header line', 'HTTP/1.1 200 OK\r\nno colon\r\n\r\n'],
  ['a content-length', 'HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n'],
])('refuses what is wrong about %s', (words, bytes) => {
  expect(() => new MessageReader('response').feed(Buffer.from(bytes), 0)).toThrow(words)
})
