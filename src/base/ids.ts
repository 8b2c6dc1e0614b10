/** Identifiers that the gateway makes. */
import { randomFillSync } from 'node:crypto'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const pool = Buffer.alloc(4096)
let used = pool.length

/** A random id of `length` base62 characters: 22 of them carry 130 bits. */
export function randomId(length: number): string {
  let id = ''
  while (id.length < length) {
    if (used === pool.length) {
      randomFillSync(pool)
      used = 0
    }
    const byte = (pool[used++] ?? 0) & 63
    // 62 and 63 are skipped, so that every character is equally likely.
    if (byte < 62) id += alphabet[byte]
  }
  return id
}

/** `bytes` random bytes in lower-case hex; never all zeros. */
export function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool)
    used = 0
  }
  used += bytes
  const id = pool.toString('hex', used - bytes, used)
  return /^0+$/.test(id) ? randomHex(bytes) : id
}
