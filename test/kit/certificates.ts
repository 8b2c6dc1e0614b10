/** Certificates for one test, made in the process: an authority, what it signs, and what is wrong with some of them. */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

export interface Certified {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly name: string
  readonly privateKey: KeyObject
}

export interface CertificateOptions {
  /** Who it is for: names and IPv4 addresses. */
  readonly for?: readonly string[]
  /** Who signs it; itself by default. */
  readonly by?: Certified
  readonly from?: Date
  readonly until?: Date
  /** It may sign others. */
  readonly authority?: boolean
}

const dayMs = 86_400_000

export function certificate(name: string, options: CertificateOptions = {}): Certified {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const now = Date.now()
  const { from = new Date(now - dayMs), until = new Date(now + 30 * dayMs), by } = options
  const content = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ecdsaWithSha256,
    nameOf(by?.name ?? name),
    sequence(time(from), time(until)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    tagged(0xa3, sequence(...extensions(options))),
  )
  const signature = sign('sha256', content, by?.privateKey ?? privateKey)
  const der = sequence(content, ecdsaWithSha256, bits(signature))
  return {
    cert: pem('CERTIFICATE', der),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    name,
    privateKey,
  }
}

/** An authority that nobody knows. */
export function authority(name = 'an authority of this test'): Certified {
  return certificate(name, { authority: true })
}

function extensions({ for: subjects = [], authority: isAuthority = false }: CertificateOptions): Buffer[] {
  const found: Buffer[] = []
  if (isAuthority) {
    found.push(extension('551d13', sequence(yes), true))
    // It signs certificates, and lists of those that are revoked.
    found.push(extension('551d0f', tagged(0x03, Buffer.from('0106', 'hex')), true))
  } else found.push(extension('551d0f', tagged(0x03, Buffer.from('0780', 'hex')), true))
  if (subjects.length > 0) found.push(extension('551d11', sequence(...subjects.map(alternativeName))))
  return found
}

function extension(oid: string, value: Buffer, critical = false): Buffer {
  return sequence(objectId(oid), ...(critical ? [yes] : []), tagged(0x04, value))
}

function alternativeName(subject: string): Buffer {
  if (isIP(subject) === 4) return tagged(0x87, Buffer.from(subject.split('.').map(Number)))
  return tagged(0x82, Buffer.from(subject))
}

function nameOf(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('550403'), tagged(0x0c, Buffer.from(commonName)))))
}

/** UTCTime, which has two digits of a year. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/\D/g, '').slice(2, 14)
  return tagged(0x17, Buffer.from(`${digits}Z`))
}

// DER: a tag, a length, and what is in it.

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const sized = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...sized]), content])
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts)
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes)
const objectId = (hex: string): Buffer => tagged(0x06, Buffer.from(hex, 'hex'))
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes)
const yes = tagged(0x01, Buffer.from([255]))
const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'))

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
