/** The answers that the clients read: with a length or in chunks, one after the other, cut anywhere. */
import { expect, test } from 'vitest'
import { AnswerReader } from '../../bench/load/answer-reader.ts'

const answers = Buffer.from(
  [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 429 Too Many\r\ncontent-length: 0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\n!\r\n0\r\nx-trailer: 1\r\n\r\n',
  ].join(''),
)

function readIn(piece: number, bytes = answers): { status: number; body: string; isWhole: boolean }[] {
  const read: { status: number; body: string; isWhole: boolean }[] = []
  const last = () => read.at(-1)!
  const reader = new AnswerReader({
    head: (status) => read.push({ status, body: '', isWhole: false }),
    body: (from, at, to) => (last().body += from.toString('latin1', at, to)),
    end: () => (last().isWhole = true),
  })
  for (let at = 0; at < bytes.length; at += piece) reader.read(bytes.subarray(at, at + piece))
  return read
}

test.each([1, 2, 3, 10, 40, 10_000])('in pieces of %d bytes', (piece) => {
  expect(readIn(piece)).toEqual([
    { status: 200, body: 'hello', isWhole: true },
    { status: 429, body: '', isWhole: true },
    { status: 200, body: 'hello0123456789', isWhole: true },
    { status: 200, body: '!', isWhole: true },
  ])
})

test('an answer that is cut is not whole', () => {
  expect(readIn(10_000, answers.subarray(0, answers.length - 2)).at(-1)).toMatchObject({ isWhole: false })
})

test.each([
  ['without a length', 'HTTP/1.1 200 OK\r\n\r\n', 'without a length'],
  ['with a size that is none', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n', 'no size of a chunk'],
])('one %s is refused', (_what, text, words) => {
  expect(() => readIn(1_000, Buffer.from(text))).toThrow(words)
})
