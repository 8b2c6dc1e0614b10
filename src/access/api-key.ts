/** What an API key looks like: `lmx_live_<id 8>_<secret 43>_<checksum 6>`, base62, read by position. */
import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { randomId } from '../base/ids.ts'
import { keyPrefix } from '../base/our-secrets.ts'
import { Secret } from './secret.ts'

const idLength = 8
/** 43 characters of base62 carry 256 bits. */
const secretLength = 43
/** Any CRC-32 in base62 fits in 6, padded with zeros. */
const checksumLength = 6

const idAt = keyPrefix.length
const secretAt = idAt + idLength + 1
const checksumAt = secretAt + secretLength + 1
export const keyLength = checksumAt + checksumLength

const base62 = /^[0-9A-Za-z]+$/
const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

export interface NewKey {
  readonly id: string
  /** The whole key as it is sent. */
  readonly key: Secret
  readonly digest: string
}

/** A new secret, for a new id or one that exists. */
export function newKey(id: string = randomId(idLength)): NewKey {
  const body = `${keyPrefix}${id}_${randomId(secretLength)}`
  const text = `${body}_${checksumOf(body)}`
  return { id, key: new Secret(text), digest: digestOf(text) }
}

/** The id in a key that is written as one, whether it exists or not; null for all else, typing errors included. */
export function parseKey(text: string): { readonly id: string } | null {
  if (text.length !== keyLength || !text.startsWith(keyPrefix)) return null
  if (text[secretAt - 1] !== '_' || text[checksumAt - 1] !== '_') return null
  const id = text.slice(idAt, secretAt - 1)
  if (!base62.test(id) || !base62.test(text.slice(secretAt, checksumAt - 1))) return null
  return hasChecksum(text) ? { id } : null
}

/** SHA-256 of the whole key in hex, as it is stored. */
export function digestOf(text: string): string {
  return hash('sha256', text, 'hex')
}

/** Whether its end is the checksum of what stands before it. */
function hasChecksum(text: string): boolean {
  let rest = crc32(text.slice(0, checksumAt - 1))
  for (let at = keyLength - 1; at >= checksumAt; at--) {
    if (text[at] !== digits[rest % 62]) return false
    rest = Math.floor(rest / 62)
  }
  return true
}

/** CRC-32 of all that stands before it: finds every single wrong character and every two that changed places. */
function checksumOf(body: string): string {
  let rest = crc32(body)
  let checksum = ''
  for (let place = 0; place < checksumLength; place++) {
    checksum = `${digits[rest % 62]}${checksum}`
    rest = Math.floor(rest / 62)
  }
  return checksum
}
