import { expect, test } from 'vitest'
import { Reception, signalUrl } from '../../../../src/observe/otlp/receiver.ts'

test.each([
  ['http://127.0.0.1:4318', 'http://127.0.0.1:4318/v1/traces'],
  ['http://127.0.0.1:4318/', 'http://127.0.0.1:4318/v1/traces'],
  ['https://otlp.example/api/v2', 'https://otlp.example/api/v2/v1/traces'],
  ['https://otlp.example/api//', 'https://otlp.example/api/v1/traces'],
  ['https://otlp.example/api?tenant=a', 'https://otlp.example/api/v1/traces?tenant=a'],
])('the base %s becomes %s', (endpoint, url) => {
  expect(signalUrl(endpoint, 'traces')).toBe(url)
})

/** Lines told, as message and reason. */
function reception() {
  const told: unknown[] = []
  const one = new Reception('traces', (level, _message, fields) => void told.push([level, fields?.['reason']]))
  return { one, told }
}

test('a receiver that is gone is told of when it goes and when it is back', () => {
  const { one, told } = reception()
  const gone = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  one.taken()
  for (let time = 0; time < 3; time++) one.refused(5, gone)
  one.taken()
  one.taken()
  one.refused(5, new Error('Request timed out'))
  expect(one.dropped).toBe(20)
  expect(told).toEqual([
    ['warn', 'ECONNREFUSED'],
    ['info', undefined],
    ['warn', 'Request timed out'],
  ])
})

test('what a receiver wrote about its refusal is not repeated, since it may be what it was sent', () => {
  const { one, told } = reception()
  one.refused(1, Object.assign(new Error('the secret xyz is wrong'), { code: 403 }))
  expect(told).toEqual([['warn', 'HTTP 403']])
})

test('one that is too slow is told of once, and each span that is lost is counted', () => {
  const { one, told } = reception()
  for (let time = 0; time < 3; time++) {
    one.overflowed(2)
    one.taken()
  }
  expect(one.dropped).toBe(6)
  expect(told).toEqual([['warn', undefined]])
})
