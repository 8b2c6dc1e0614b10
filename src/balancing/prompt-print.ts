/**
 * Takes digests of the beginnings of a prompt, each one going on from the one before. A beginning ends behind a message,
 * or inside a long one where enough came since the last: 1 kB at first, then a 32nd of what came before, so that the
 * longest prompt has some hundred of them and what lies between two is little beside what a host is spared.
 *
 * The hash is our own: those of OpenSSL take 2.4 µs for 1 kB and 2 µs for the shortest message, this one 0.35 µs
 * and next to nothing. Nobody's safety rests on it: two prompts with one digest would only be sent to one host. All that
 * goes in is mixed by secrets of this process: where it only begins with one, others can make prompts that meet whatever
 * the secret is.
 */
import { randomBytes } from 'node:crypto'
import { BoundedMap } from '../base/bounded-map.ts'
import type { PromptPiece } from '../wire/prompt-parts.ts'
import type { Beginnings } from './prompt.ts'

const blockBytesMin = 1_024
/** Of what came before, the part that lies between two beginnings. */
const blockShare = 1 / 32
/** Behind so many of its first messages a beginning ends however short they are, or a short chat would have none. */
const shortMessagesMax = 16
/** More than the largest body comes to. */
export const digestsMax = 512
const holdersMax = 1_000
const secretBytes = 24
const nothing = Buffer.alloc(0)

export interface PrintSecret {
  readonly left: number
  readonly right: number
  /** By which words are mixed before they go in: odd, so that none is lost. */
  readonly factors: readonly [number, number, number, number]
}

export interface Owner {
  readonly holder: string
  /** From the start, or from the first piece that is its own: prompts of another one have no digest in common from there on. */
  readonly from: 'start' | 'own'
}

export class PromptPrinter {
  readonly #secret: PrintSecret
  readonly #hash = new TwoWords()
  readonly #holders = new BoundedMap<string, { readonly bytes: Buffer; readonly name: string }>(holdersMax)

  /** One secret for all prints that are to be compared. */
  constructor(secret: PrintSecret = secretOf(randomSecret())) {
    this.#secret = secret
  }

  /** `owner`: null where prompts of all may begin alike. */
  print(pieces: readonly PromptPiece[], owner: Owner | null): Beginnings {
    // Before it begins: what is not known yet goes through the same hash.
    const holder = owner === null ? nothing : this.#holderOf(owner.holder).bytes
    const hash = this.#begin()
    let isOwned = owner === null
    const marks = new Marks(hash)
    for (const [index, piece] of pieces.entries()) {
      if (owner !== null && !isOwned && (owner.from === 'start' || piece.role === 'own')) {
        hash.text(holder)
        isOwned = true
      }
      // What a piece is counts too, or a message would be equal to a prompt of the system with the same words.
      hash.word(piece.kind)
      if (piece.role === 'seed') hash.bytes(piece.bytes, piece.start, piece.end)
      else marks.take(piece, piece.role === 'common' && pieces[index + 1]?.role !== 'common')
    }
    return marks.print()
  }

  /** One word for what the owner calls something: nothing can be read from it, and no other owner comes to the same. */
  nameOf(text: string, owner: string): string {
    return this.#nameOf(Buffer.from(text), this.#holderOf(owner).bytes)
  }

  /** The same of the owner itself. */
  ownerOf(holder: string): string {
    return this.#holderOf(holder).name
  }

  #nameOf(text: Buffer, owner: Buffer): string {
    const hash = this.#begin()
    hash.text(owner)
    hash.bytes(text, 0, text.length)
    return hash.digest().toString(36)
  }

  /** Kept of those that ask often: each request needs it. */
  #holderOf(holder: string): { readonly bytes: Buffer; readonly name: string } {
    const known = this.#holders.get(holder)
    if (known !== undefined) return known
    const bytes = Buffer.from(holder)
    const made = { bytes, name: this.#nameOf(nothing, bytes) }
    this.#holders.set(holder, made)
    return made
  }

  #begin(): TwoWords {
    const hash = this.#hash
    hash.begin(this.#secret)
    return hash
  }
}

/** Where beginnings end: decided by nothing that comes later, so that prompts that begin alike have the same ends. */
class Marks {
  readonly #hash: TwoWords
  readonly #digests: number[] = []
  readonly #ends: number[] = []
  #at = 0
  #last = 0
  #messages = 0
  #commonCount = 0

  constructor(hash: TwoWords) {
    this.#hash = hash
  }

  take({ bytes, end, start }: PromptPiece, endsCommon: boolean): void {
    let from = start
    while (from < end && !this.#isFull) {
      const to = Math.min(end, from + this.#last + blockBytes(this.#last) - this.#at)
      this.#hash.bytes(bytes, from, to)
      this.#at += to - from
      from = to
      if (this.#at - this.#last >= blockBytes(this.#last)) this.#mark()
    }
    // Behind the last beginning that there may be nothing is told apart any more.
    this.#at += end - from
    this.#messages += 1
    const isLong = this.#at - this.#last >= blockBytes(this.#last) / 2
    if (isLong || endsCommon || this.#messages <= shortMessagesMax) this.#mark()
    if (endsCommon) this.#commonCount = this.#digests.length
  }

  print(): Beginnings {
    const whole = this.#hash.digest()
    return { digests: this.#digests, ends: this.#ends, bytes: this.#at, whole, commonCount: this.#commonCount }
  }

  get #isFull(): boolean {
    return this.#digests.length >= digestsMax
  }

  #mark(): void {
    if (this.#at === this.#last || this.#isFull) return
    this.#digests.push(this.#hash.digest())
    this.#ends.push(this.#at)
    this.#last = this.#at
  }
}

function blockBytes(before: number): number {
  return Math.max(blockBytesMin, Math.floor(before * blockShare))
}

/** As text, which `secretOf` takes. */
export function randomSecret(): string {
  return randomBytes(secretBytes).toString('base64')
}

export function secretOf(text: string): PrintSecret {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length !== secretBytes) throw new Error('The secret of prompts is none.')
  const odd = (at: number): number => bytes.readInt32LE(at) | 1
  return { left: bytes.readInt32LE(0), right: bytes.readInt32LE(4), factors: [odd(8), odd(12), odd(16), odd(20)] }
}

const stepBytes = 8
/** A view costs more than what it saves of fewer bytes. */
const viewedBytesMin = 64

/**
 * MurmurHash3 with two of its four words of 32 bits: every step can be undone, so that what once differed never meets by
 * going on alike.
 */
class TwoWords {
  #left = 0
  #right = 0
  #factors: PrintSecret['factors'] = [1, 1, 1, 1]
  #of: Buffer | null = null
  #view: DataView = new DataView(new ArrayBuffer(0))

  begin({ left, right, factors }: PrintSecret): void {
    this.#left = left
    this.#right = right
    this.#factors = factors
    this.#of = null
  }

  word(word: number): void {
    this.#step(word, ~word)
  }

  /** With its length, so that nothing that follows can make it another one. */
  text(bytes: Buffer): void {
    this.word(bytes.length + 1)
    this.bytes(bytes, 0, bytes.length)
  }

  bytes(bytes: Buffer, start: number, end: number): void {
    if (bytes !== this.#of && end - start < viewedBytesMin) return this.#short(bytes, start, end)
    const view = this.#viewOf(bytes)
    const [first, second, third, fourth] = this.#factors
    let left = this.#left
    let right = this.#right
    let at = start
    for (; at + stepBytes <= end; at += stepBytes) {
      left ^= mixed(view.getInt32(at, true), first, second)
      left = (((left << 13) | (left >>> 19)) + right) | 0
      left = (Math.imul(left, 5) + 0x561ccd1b) | 0
      right ^= mixed(view.getInt32(at + 4, true), third, fourth)
      right = (((right << 17) | (right >>> 15)) + left) | 0
      right = (Math.imul(right, 5) + 0x0bcaa747) | 0
    }
    this.#left = left
    this.#right = right
    if (at < end) this.#rest(bytes, at, end)
  }

  /** Of 53 bits, all that a number holds. */
  digest(): number {
    const left = finish(this.#left ^ Math.imul(this.#right, 0xc2b2ae3d))
    const right = finish(this.#right ^ Math.imul(left, 0x27d4eb2f))
    return (left & 0x1fffff) * 0x1_0000_0000 + (right >>> 0)
  }

  /** The same of few, for which no view is made. */
  #short(bytes: Buffer, start: number, end: number): void {
    let at = start
    for (; at + stepBytes <= end; at += stepBytes) this.#step(bytes.readInt32LE(at), bytes.readInt32LE(at + 4))
    if (at < end) this.#rest(bytes, at, end)
  }

  /** Fewer bytes than a step has, and how many. */
  #rest(bytes: Buffer, start: number, end: number): void {
    let low = 0
    let high = (end - start) << 24
    for (let at = start; at < end; at++) {
      const place = at - start
      if (place < 4) low |= (bytes[at] ?? 0) << (8 * place)
      else high |= (bytes[at] ?? 0) << (8 * (place - 4))
    }
    this.#step(low, high)
  }

  #step(low: number, high: number): void {
    const [first, second, third, fourth] = this.#factors
    const left = this.#left ^ mixed(low, first, second)
    this.#left = (Math.imul((((left << 13) | (left >>> 19)) + this.#right) | 0, 5) + 0x561ccd1b) | 0
    const right = this.#right ^ mixed(high, third, fourth)
    this.#right = (Math.imul((((right << 17) | (right >>> 15)) + this.#left) | 0, 5) + 0x0bcaa747) | 0
  }

  /** Nearly always of one buffer alone, and a view is not free. */
  #viewOf(bytes: Buffer): DataView {
    if (this.#of !== bytes) {
      this.#of = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    return this.#view
  }
}

function mixed(word: number, first: number, second: number): number {
  const once = Math.imul(word, first)
  return Math.imul((once << 15) | (once >>> 17), second)
}

function finish(word: number): number {
  let done = word ^ (word >>> 16)
  done = Math.imul(done, 0x7feb352d)
  done ^= done >>> 15
  done = Math.imul(done, 0x846ca68b)
  return done ^ (done >>> 16)
}
