import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { assert, boolean, integer, property, string, tuple } from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressRange, ClientAddresses, canonicalAddress } from '../../../src/http/client-address.ts'
import { serverOptions } from '../../../src/http/options.ts'

function requestFrom(
  remoteAddress: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): IncomingMessage {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress })
  return Object.assign(new IncomingMessage(socket), { headers })
}

const forwarded = (text: string) => ({ 'x-forwarded-for': text })
const proxied = new ClientAddresses(['10.0.0.0/8', '192.0.2.1', 'fd00::/8', '::ffff:172.16.0.0/108'])

describe('X34: one spelling of each address', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['::ffff:0a00:1', '10.0.0.1'],
    ['::ffff:a00:0001', '10.0.0.1'],
    ['0:0:0:0:0:ffff:10.0.0.1', '10.0.0.1'],
    ['0000:0000:0000:0000:0000:FFFF:0A00:0001', '10.0.0.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['fe80::1%en-0.1', 'fe80::1'],
    ['::', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
  ])('%s is %s', (text, expected) => {
    expect(canonicalAddress(text)).toBe(expected)
  })

  test.each([
    '',
    'x',
    '010.0.0.1',
    '10.0.0',
    '10.1',
    '0x0a000001',
    '167772161',
    '10.0.0.256',
    ':::',
    '1::2::3',
    '[::1]',
    '::1%',
    'unknown',
    '10.0.0.1 ',
  ])('%j is none', (text) => {
    expect(canonicalAddress(text)).toBeNull()
  })

  test('every spelling of an IPv6 address leads to the same one, which leads to itself', () => {
    const part = integer({ min: 0, max: 0xffff })
    assert(
      property(tuple(part, part, part, part, part, part, part, part), boolean(), (parts, upper) => {
        const short = parts.map((number) => number.toString(16)).join(':')
        const long = parts.map((number) => number.toString(16).padStart(4, '0')).join(':')
        const one = canonicalAddress(short)
        expect(one).not.toBeNull()
        expect(canonicalAddress(upper ? long.toUpperCase() : long)).toBe(one)
        expect(canonicalAddress(one ?? '')).toBe(one)
      }),
    )
  })
})

describe('X34: who asks', () => {
  test('without proxies it is the connection, whatever the headers say', () => {
    const direct = new ClientAddresses([])
    const headers = {
      ...forwarded('198.51.100.7'),
      'x-real-ip': '198.51.100.8',
      forwarded: 'for=198.51.100.9',
      'true-client-ip': '198.51.100.10',
      'cf-connecting-ip': '198.51.100.11',
    }
    expect(direct.of(requestFrom('203.0.113.5', headers))).toBe('203.0.113.5')
    expect(direct.of(requestFrom('::ffff:203.0.113.5', headers))).toBe('203.0.113.5')
    expect(direct.of(requestFrom('127.0.0.1', headers))).toBe('127.0.0.1')
    // Those that others write do not count behind a proxy of ours either.
    expect(proxied.of(requestFrom('10.0.0.1', { ...headers, ...forwarded('') }))).toBe('10.0.0.1')
  })

  test('a connection that is no proxy of ours is not believed', () => {
    expect(proxied.of(requestFrom('203.0.113.5', forwarded('198.51.100.7')))).toBe('203.0.113.5')
    expect(proxied.of(requestFrom('192.0.2.2', forwarded('198.51.100.7')))).toBe('192.0.2.2')
    expect(proxied.of(requestFrom('fe80::1%eth0', forwarded('198.51.100.7')))).toBe('fe80::1')
  })

  test.each(['10.0.0.1', '::ffff:10.9.8.7', '192.0.2.1', 'fd12::1', 'FD12:0::1', '172.31.255.255', '::ffff:ac10:0001'])(
    'of %s, which is one, the last entry counts that is none',
    (proxy) => {
      const of = (text: string) => proxied.of(requestFrom(proxy, forwarded(text)))
      expect(of('198.51.100.7')).toBe('198.51.100.7')
      expect(of('1.1.1.1, 198.51.100.7')).toBe('198.51.100.7')
      expect(of('1.1.1.1,198.51.100.7 ,10.0.0.2, fd00::5')).toBe('198.51.100.7')
      expect(of('::ffff:198.51.100.7')).toBe('198.51.100.7')
      expect(of('2001:DB8:0::1')).toBe('2001:db8::1')
      expect(of('[2001:db8::1]:4711')).toBe('2001:db8::1')
      expect(of('[2001:db8::1]')).toBe('2001:db8::1')
      expect(of('198.51.100.7:4711')).toBe('198.51.100.7')
    },
  )

  test.each([
    '',
    ' ',
    'unknown',
    '_hidden',
    '010.1.1.1',
    '198.51.100.7:99999999',
    '198.51.100.7;x',
    '[198.51.100.7',
    '"198.51.100.7"',
    '198.51.100.7,',
    ',',
    '<script>',
  ])('an entry that is no address ends it: %j', (entry) => {
    expect(proxied.of(requestFrom('10.0.0.1', forwarded(entry)))).toBe('10.0.0.1')
    expect(proxied.of(requestFrom('10.0.0.1', forwarded(`198.51.100.7, ${entry}, fd00::2`)))).toBe('fd00::2')
  })

  test('where everybody is a proxy of ours it is the first', () => {
    expect(proxied.of(requestFrom('10.0.0.1', forwarded('10.0.0.3, 10.0.0.2')))).toBe('10.0.0.3')
  })

  test('a connection that is gone has none', () => {
    expect(proxied.of(requestFrom(undefined, forwarded('198.51.100.7')))).toBe('unknown')
  })

  test('no header makes a client of ours out of one that is not, and none makes it fail', () => {
    assert(
      property(string({ unit: 'binary-ascii' }), (text) => {
        const address = proxied.of(requestFrom('10.0.0.1', forwarded(text)))
        expect(canonicalAddress(address)).toBe(address)
        expect(proxied.of(requestFrom('203.0.113.5', forwarded(text)))).toBe('203.0.113.5')
      }),
    )
  })
})

describe('the ranges of an operator', () => {
  test.each([
    ['10.0.0.0/8', { address: '10.0.0.0', prefix: 8 }],
    ['10.0.0.1', { address: '10.0.0.1', prefix: 32 }],
    ['0.0.0.0/0', { address: '0.0.0.0', prefix: 0 }],
    ['::ffff:10.0.0.0/104', { address: '10.0.0.0', prefix: 8 }],
    ['::ffff:10.0.0.1', { address: '10.0.0.1', prefix: 32 }],
    ['FD00::/8', { address: 'fd00::', prefix: 8 }],
    ['::1', { address: '::1', prefix: 128 }],
  ])('%s', (text, range) => {
    expect(addressRange(text)).toEqual(range)
    expect(serverOptions.parse({ trustedProxies: [text] }).trustedProxies).toEqual([text])
  })

  test.each([
    '',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '::ffff:10.0.0.0/8',
    'fe80::1%eth0',
    'localhost',
    '1.2.3',
    'abc',
  ])('%j is none, which the configuration says', (text) => {
    expect(addressRange(text)).toBeNull()
    expect(serverOptions.safeParse({ trustedProxies: [text] }).success).toBe(false)
    expect(() => new ClientAddresses([text])).toThrow(text)
  })
})
