import { describe, expect, test } from 'vitest'
import { isLoopback, isWildcard } from '../../../src/config/loopback.ts'

describe('isLoopback', () => {
  test.each(['127.0.0.1', '127.255.3.9', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST'])(
    '%s is this machine alone',
    (address) => {
      expect(isLoopback(address)).toBe(true)
    },
  )

  test.each([
    '0.0.0.0',
    '::',
    '192.168.1.5',
    '128.0.0.1',
    '1.127.0.0',
    '::ffff:192.168.1.5',
    '::127.0.0.1',
    'fe80::1%lo',
    'localhost.example.org',
    '127.0.0.1.example.org',
    '127.1',
    '',
  ])('%s can be another', (address) => {
    expect(isLoopback(address)).toBe(false)
  })
})

describe('isWildcard', () => {
  test.each([
    ['0.0.0.0', true],
    ['::', true],
    ['0:0:0:0:0:0:0:0', true],
    ['::1', false],
    ['127.0.0.1', false],
    ['localhost', false],
  ])('%s: %s', (address, expected) => {
    expect(isWildcard(address)).toBe(expected)
  })
})
