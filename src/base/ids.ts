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
