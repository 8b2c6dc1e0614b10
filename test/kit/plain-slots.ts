/**
 * How several gateways share the slots of hosts, written down plainly: what the scripts of Redis do is held against it, and lines
 * without a Redis stand on it.
 */
import type { SharedSlots, SlotAnswer, SlotHolder, SlotRank, SlotWish } from '../../src/queue/shared-slots.ts'

const claimMs = 500
const toldClaimMs = 100

/** What a gateway says of itself with each message about a host. */
export interface SlotMessage {
  readonly id: string
  /** Of its messages, in order. */
  readonly number: number
  /** That of the last one whose answer it knows. */
  readonly answered: number
  /** Slots that it holds for certain. */
  readonly sure: number
  readonly limit: number
}

interface Row {
  number: number
  sure: number
  limit: number
  /** Numbers of the grants that it does not know of yet. */
  grants: number[]
}

interface ClaimRow {
  untilMs: number
  told: boolean
  readonly rank: SlotRank
  readonly waiting: number
}

interface HostRows {
  readonly rows: Map<string, Row>
  readonly claims: Map<string, ClaimRow>
}

export interface PlainSlotsParts {
  readonly nowMs: () => number
  readonly goneAfterMs: number
  /** A gateway with a claim is told that a slot is free for it. */
  readonly free: (id: string, host: string, elsewhere: number) => void
}

export class PlainSlots {
  readonly #parts: PlainSlotsParts
  readonly #hosts = new Map<string, HostRows>()
  readonly #beats = new Map<string, number>()
  /** Not everybody has told yet what it holds. */
  isSettled = true

  constructor(parts: PlainSlotsParts) {
    this.#parts = parts
  }

  beat(id: string): void {
    this.#beats.set(id, this.#parts.nowMs())
  }

  /** As FLUSHALL. */
  clear(): void {
    this.#hosts.clear()
    this.#beats.clear()
  }

  /** Null where nobody can tell. */
  take(host: string, message: SlotMessage, { rank, next, waiting }: Omit<SlotWish, 'host'>): SlotAnswer | null {
    const { id, number } = message
    const at = this.#at(host)
    if (this.#isOvertaken(at, message)) return { granted: false, elsewhere: 0 }
    if (!this.isSettled) return null
    const elsewhere = this.#elsewhere(at, id)
    const row = rowOf(at, message)
    const others = this.#claims(at, id)
    let before = 0
    for (const [, claim] of others) if (isLess(claim.rank, rank)) before += claim.waiting
    const granted = this.#limit(at, message) - elsewhere - heldIn(row) > before
    if (granted) row.grants.push(number)
    const claim = granted ? next : rank
    const count = granted ? Math.max(1, waiting) : waiting + 1
    if (claim === null) at.claims.delete(id)
    else at.claims.set(id, { untilMs: this.#parts.nowMs() + claimMs, told: false, rank: claim, waiting: count })
    at.rows.set(id, row)
    this.#offer(host, message, others)
    return { granted, elsewhere }
  }

  tell(host: string, message: SlotMessage, claims: boolean): void {
    const at = this.#at(host)
    if (this.#isOvertaken(at, message)) return
    at.rows.set(message.id, rowOf(at, message))
    if (!claims) at.claims.delete(message.id)
    if (this.isSettled && at.claims.size > 0) this.#offer(host, message, this.#claims(at, message.id))
  }

  /** Slots that all gateways hold that live. */
  held(host: string): number {
    return this.#elsewhere(this.#at(host), '')
  }

  #at(host: string): HostRows {
    let at = this.#hosts.get(host)
    if (at === undefined) {
      at = { rows: new Map(), claims: new Map() }
      this.#hosts.set(host, at)
    }
    return at
  }

  #lives(id: string): boolean {
    const beat = this.#beats.get(id)
    return beat !== undefined && beat >= this.#parts.nowMs() - this.#parts.goneAfterMs
  }

  #isOvertaken({ rows }: HostRows, { id, number }: SlotMessage): boolean {
    return (rows.get(id)?.number ?? 0) > number
  }

  #elsewhere({ rows }: HostRows, id: string): number {
    let sum = 0
    for (const [other, row] of rows) {
      if (other === id) continue
      if (this.#lives(other)) sum += heldIn(row)
      else rows.delete(other)
    }
    return sum
  }

  /** The largest of those that hold something, and of whoever asks. */
  #limit({ rows }: HostRows, { id, limit }: SlotMessage): number {
    const others = [...rows].filter(([other, row]) => other !== id && this.#lives(other) && heldIn(row) > 0)
    return Math.max(limit, ...others.map(([, row]) => row.limit))
  }

  #claims({ claims }: HostRows, id: string): [string, ClaimRow][] {
    for (const [other, { untilMs }] of claims) {
      if (untilMs <= this.#parts.nowMs() || !this.#lives(other)) claims.delete(other)
    }
    return [...claims].filter(([other]) => other !== id)
  }

  #offer(host: string, message: SlotMessage, claims: readonly (readonly [string, ClaimRow])[]): void {
    const { id } = message
    const at = this.#at(host)
    const limit = this.#limit(at, message)
    const mine = at.rows.get(id)
    const inAll = this.#elsewhere(at, id) + (mine === undefined ? 0 : heldIn(mine))
    const told = claims.filter(([, claim]) => claim.told).length
    const untold = claims.filter(([, claim]) => !claim.told).toSorted(byRank)
    for (const [other, claim] of untold.slice(0, Math.max(0, limit - inAll - told))) {
      claim.told = true
      claim.untilMs = Math.min(claim.untilMs, this.#parts.nowMs() + toldClaimMs)
      const theirs = at.rows.get(other)
      this.#parts.free(other, host, inAll - (theirs === undefined ? 0 : heldIn(theirs)))
    }
  }
}

function heldIn({ sure, grants }: Row): number {
  return sure + grants.length
}

function rowOf({ rows }: HostRows, { id, number, answered, sure, limit }: SlotMessage): Row {
  const grants = (rows.get(id)?.grants ?? []).filter((grant) => grant > answered)
  return { number, sure, limit, grants }
}

function isLess(one: SlotRank, other: SlotRank): boolean {
  return one.band < other.band || (one.band === other.band && one.counter < other.counter)
}

function byRank(
  [idOne, { rank: one }]: readonly [string, ClaimRow],
  [idOther, { rank: other }]: readonly [string, ClaimRow],
): number {
  return one.band - other.band || one.counter - other.counter || (idOne < idOther ? -1 : 1)
}

/** How messages of one gateway travel: at once, or whenever `send` says; false where they are lost. */
export interface PlainRoad {
  send(arrives: () => void, lost?: () => void): void
}

export const atOnce: PlainRoad = { send: (arrives) => arrives() }

/** The slots as one gateway has them. */
export class PlainReplica implements SharedSlots {
  readonly id: string
  readonly #slots: PlainSlots
  readonly #road: PlainRoad
  readonly #count: () => number
  #holder: SlotHolder | null = null
  #number = 0
  readonly #open = new Set<number>()
  /** False: nobody can tell what the others hold. */
  isShared = true
  /** What was told counts for so long where one answer does not come. */
  knownWhileSharedMs = 3_000

  constructor(
    id: string,
    slots: PlainSlots,
    { road = atOnce, count }: { readonly road?: PlainRoad; readonly count: () => number },
  ) {
    this.id = id
    this.#slots = slots
    this.#road = road
    this.#count = count
  }

  begin(holder: SlotHolder): void {
    this.#holder = holder
  }

  get knownForMs(): number {
    return this.isShared ? this.knownWhileSharedMs : 0
  }

  take({ host, ...wish }: SlotWish, answered: (answer: SlotAnswer | null) => void): void {
    if (!this.isShared) {
      answered(null)
      return
    }
    const message = this.#message(host)
    const { number } = message
    this.#open.add(number)
    const over = (answer: SlotAnswer | null): void => {
      this.#open.delete(number)
      answered(answer)
    }
    this.#road.send(
      () => {
        const answer = this.#slots.take(host, message, wish)
        this.#road.send(
          () => over(answer),
          () => over(null),
        )
      },
      () => over(null),
    )
  }

  tell(host: string, claims: boolean): void {
    const message = this.#message(host)
    this.#road.send(() => this.#slots.tell(host, message, claims))
  }

  shareOf(limit: number): number {
    return Math.max(1, Math.floor(limit / this.#count()))
  }

  /** To be called with what `PlainSlotsParts.free` was told. */
  freed(host: string, elsewhere: number): void {
    this.#road.send(() => this.#holder?.freed(host, elsewhere))
  }

  late(host: string, answer: SlotAnswer): void {
    this.#holder?.late(host, answer)
  }

  #message(host: string): SlotMessage {
    const number = ++this.#number
    const { held, limit } = this.#holder?.at(host) ?? { held: 0, limit: 0 }
    const [firstOpen = number] = this.#open
    return { id: this.id, number, answered: firstOpen - 1, sure: held, limit }
  }
}
