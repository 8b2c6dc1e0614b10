/** Identifiers that the gateway makes. */
import { randomFillSync } from 'node:crypto'

const alphabet = Buffer.from('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz')
const poolBytes = 4_096

/** Random characters of the alphabet, made many at a time, so that an id is one copy of some of them. */
const characters = Buffer.alloc(poolBytes)
let charactersLeft = 0

/** A random id of `length` base62 characters, 1,000 at the most: 22 of them carry 130 bits. */
export function randomId(length: number): string {
  if (charactersLeft < length) fillCharacters()
  charactersLeft -= length
  return characters.toString('latin1', charactersLeft, charactersLeft + length)
}

function fillCharacters(): void {
  randomFillSync(characters)
  charactersLeft = 0
  for (const byte of characters) {
    const place = byte & 63
    // 62 and 63 are skipped, so that every character is equally likely.
    if (place < alphabet.length) characters[charactersLeft++] = alphabet[place] ?? 0
  }
}

const pool = Buffer.alloc(poolBytes)
let used = pool.length

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
