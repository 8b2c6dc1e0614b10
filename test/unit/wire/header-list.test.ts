import { expect, test } from 'vitest'
import { type HeaderList, setHeader, setHeaders } from '../../../src/wire/header-list.ts'

test('a new value stands where the old one did, and what is new stands behind', () => {
  const list: HeaderList = ['x-request-id', 'r1']
  setHeaders(list, { vary: 'Origin', 'content-type': 'text/plain' })
  setHeader(list, 'vary', '*')
  setHeaders(list, { 'x-request-id': 'r2', connection: 'close' })
  expect(list).toEqual(['x-request-id', 'r2', 'vary', '*', 'content-type', 'text/plain', 'connection', 'close'])
})

test('a value is no name', () => {
  const list: HeaderList = ['x-a', 'x-b']
  setHeader(list, 'x-b', 'c')
  expect(list).toEqual(['x-a', 'x-b', 'x-b', 'c'])
})
