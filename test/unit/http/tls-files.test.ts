import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import { expect, test } from 'vitest'
import { TlsFiles } from '../../../src/http/tls-files.ts'
import { certificateFolder } from '../../kit/certificate-files.ts'
import { authority, type Certified, certificate } from '../../kit/certificates.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const ca = authority()
const own = certificate('gateway', { by: ca })
const renewed = certificate('gateway', { by: ca })
const dayMs = 86_400_000
const lookMs = 60_000

interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Files as they are given, watched on a clock that begins today. */
function watched({ cert, key }: Pick<Certified, 'cert' | 'key'>) {
  const folder = certificateFolder()
  const paths = { cert: folder.write('cert.pem', cert), key: folder.write('key.pem', key) }
  const clock = new FakeClock(1_000, Date.now())
  const lines: Line[] = []
  const applied: SecureContextOptions[] = []
  const files = new TlsFiles(paths, {
    clock,
    log: (level, message, fields = {}) => lines.push({ level, message, fields }),
  })
  files.watch((options) => applied.push(options))
  const told = (): string[] => lines.splice(0).map(({ level, message }) => `${level} ${message}`)
  return { folder, paths, clock, lines, applied, files, told }
}

const renewedLine = 'info the files of server.tls have changed; new connections get the new certificate'
const unusableLine = 'warn the files of server.tls have changed and cannot be used; the certificate before stays'
const expiredLine = 'warn the certificate in server.tls.cert has expired'

test('X32: no version before 1.2, no negotiation anew, no compression, whatever the process was started with', () => {
  const { files, told } = watched(own)
  expect(files.options).toMatchObject({ cert: own.cert, key: own.key, minVersion: 'TLSv1.2' })
  // SSL_OP_NO_RENEGOTIATION and SSL_OP_NO_COMPRESSION of OpenSSL.
  expect(files.options.secureOptions).toBe(0x4000_0000 | 0x2_0000)
  expect(told()).toEqual(['info serving over TLS'])
})

test('files that have changed are given out once, within a minute', async () => {
  const { folder, clock, applied, files, told } = watched(own)
  told()
  await clock.advance(10 * lookMs)
  expect(applied).toEqual([])
  folder.write('cert.pem', renewed.cert)
  folder.write('key.pem', renewed.key)
  await clock.advance(lookMs)
  expect(applied).toMatchObject([{ cert: renewed.cert, key: renewed.key, minVersion: 'TLSv1.2' }])
  expect(files.options.cert).toBe(renewed.cert)
  await clock.advance(10 * lookMs)
  expect(applied).toHaveLength(1)
  expect(told()).toEqual([renewedLine])
  files.stop()
  expect(clock.pendingTimers).toBe(0)
})

test('what cannot be used is told of once, and the pair before stays until there is one that can', async () => {
  const { folder, paths, clock, applied, files, lines, told } = watched(own)
  told()
  folder.write('cert.pem', renewed.cert)
  await clock.advance(5 * lookMs)
  expect(applied).toEqual([])
  expect(lines[0]?.fields['problem']).toContain('is not that of the first certificate')
  expect(told()).toEqual([unusableLine])
  rmSync(paths.cert)
  await clock.advance(5 * lookMs)
  expect(lines[0]?.fields['problem']).toContain('there is no file')
  expect(told()).toEqual([unusableLine])
  expect(files.options.cert).toBe(own.cert)
  folder.write('cert.pem', renewed.cert)
  folder.write('key.pem', renewed.key)
  await clock.advance(5 * lookMs)
  expect(applied).toHaveLength(1)
  expect(told()).toEqual([renewedLine])
})

test('a certificate that has expired is told of at the start, or once when it does', async () => {
  const now = Date.now()
  const old = watched(certificate('gateway', { from: new Date(now - 9 * dayMs), until: new Date(now - dayMs) }))
  expect(old.told()).toEqual([expiredLine])
  await old.clock.advance(5 * lookMs)
  expect(old.told()).toEqual([])

  const ageing = watched(certificate('gateway', { until: new Date(now + 2.5 * lookMs) }))
  expect(ageing.told()).toEqual(['info serving over TLS'])
  await ageing.clock.advance(2 * lookMs)
  expect(ageing.told()).toEqual([])
  await ageing.clock.advance(5 * lookMs)
  expect(ageing.told()).toEqual([expiredLine])
})

test('a key that everybody can read is told of', () => {
  const folder = certificateFolder()
  const paths = { cert: folder.write('cert.pem', own.cert), key: folder.write('key.pem', own.key) }
  chmodSync(paths.key, 0o644)
  const lines: string[] = []
  const log = (level: string, message: string) => void lines.push(`${level} ${message}`)
  expect(new TlsFiles(paths, { clock: new FakeClock(), log }).options.key).toBe(own.key)
  expect(lines).toContain('warn every user of this machine can read server.tls.key; chmod 600 it')
})

const encrypted = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'a passphrase' },
}).privateKey
const damaged = own.cert.replace(/\n[^\n]{60}/, '\nAAAA')

test.each([
  ['no certificate', { cert: own.key, key: own.key }, /^server\.tls\.cert: there is no certificate in \S+cert\.pem\.$/],
  ['no PEM', { cert: 'x', key: own.key }, /^server\.tls\.cert: \S+cert\.pem is not a PEM file/],
  ['DER', { cert: '0\u0082\u0001\u0002', key: own.key }, /is not a PEM file/],
  ['an empty file', { cert: '', key: own.key }, /is not a PEM file/],
  ['a damaged one', { cert: damaged, key: own.key }, /^server\.tls\.cert: a certificate in \S+cert\.pem is damaged/],
  ['a damaged chain', { cert: own.cert + damaged, key: own.key }, /is damaged/],
  [
    'a key of another',
    { cert: own.cert, key: renewed.key },
    /^server\.tls\.key: the key in \S+key\.pem is not that of/,
  ],
  ['the chain in the wrong order', { cert: ca.cert + own.cert, key: own.key }, /is not that of the first certificate/],
  ['no key', { cert: own.cert, key: own.cert }, /^server\.tls\.key: there is no private key in \S+key\.pem/],
  ['an encrypted key', { cert: own.cert, key: encrypted }, /^server\.tls\.key: the key in \S+key\.pem is encrypted/],
])('%s: one sentence says so, with the name of the file and nothing of what is in it', (_name, pair, sentence) => {
  let message = ''
  try {
    watched(pair)
  } catch (error) {
    expect(error).toMatchObject({ name: 'StartError' })
    message = error instanceof Error ? error.message : ''
  }
  expect(message).toMatch(sentence)
  expect(message).not.toContain(own.key.split('\n')[1])
})

test('the chain follows the own certificate', () => {
  expect(watched({ cert: own.cert + ca.cert, key: own.key }).files.options.cert).toBe(own.cert + ca.cert)
})
