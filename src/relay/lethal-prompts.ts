/**
 * Requests that hosts do not survive. One that two hosts broke off, before its answer began or in the middle of it, is given
 * to no third for a while: else one prompt, sent again and again by a client that means well, takes down the whole fleet.
 * Somebody who means ill changes a word each time, and is not stopped by this.
 */
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { RequestMarks } from './request-marks.ts'

/** One host may have gone for a reason of its own. */
const hostsMax = 2
const refusedMs = 60_000
/** A client that tries again later than so finds that nothing is held against its request. */
const rememberedMs = 600_000
/** The oldest is forgotten first; each costs a host its connection, so that nobody makes many in a short time. */
const suspectsMax = 1_000

interface Suspect {
  /** Of its body; 0 where that is not what it is known by. */
  readonly bytes: number
  /** Names of hosts. */
  readonly droppedBy: Set<string>
  /** Monotonic. */
  lastMs: number
}

export class LethalPrompts {
  readonly #clock: Clock
  /** By what they are known by, the one that was dropped the longest ago first. */
  readonly #suspects = new Map<string, Suspect>()
  /** How many suspects are so long: the body of any other request need not be looked at. */
  readonly #lengths = new Map<number, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#suspects.size
  }

  /** The host closed the connection on this request. */
  dropped(host: Host, { ofPrompt, ofBody, bodyBytes }: RequestMarks): void {
    this.#forgetOld()
    if (ofPrompt !== null) this.#suspect(ofPrompt, 0, host)
    if (ofBody !== null) this.#suspect(ofBody, bodyBytes, host)
  }

  /** Throws where no host is to be given this request now. */
  check(marks: RequestMarks): void {
    if (this.#suspects.size === 0) return
    if (marks.ofPrompt !== null) this.#refuse(marks.ofPrompt)
    if (this.#lengths.has(marks.bodyBytes)) this.#refuse(marks.ofBody)
  }

  #suspect(mark: string, bytes: number, host: Host): void {
    const known = this.#suspects.get(mark)
    const { droppedBy = new Set<string>() } = known ?? {}
    if (droppedBy.size < hostsMax) droppedBy.add(host.name)
    if (known !== undefined) this.#forget(mark, known)
    this.#suspects.set(mark, { bytes, droppedBy, lastMs: this.#clock.now() })
    this.#lengths.set(bytes, (this.#lengths.get(bytes) ?? 0) + 1)
    for (const [oldest, suspect] of this.#suspects) {
      if (this.#suspects.size <= suspectsMax) break
      this.#forget(oldest, suspect)
    }
  }

  #refuse(mark: string | null): void {
    const suspect = mark === null ? undefined : this.#suspects.get(mark)
    if (suspect === undefined || suspect.droppedBy.size < hostsMax) return
    const retryAfterMs = suspect.lastMs + refusedMs - this.#clock.now()
    if (retryAfterMs <= 0) return
    const seconds = Math.ceil(retryAfterMs / 1_000)
    const message = `Two hosts closed the connection while they worked on exactly this request, so it is given to no other one for ${seconds} s. Change it (a shorter prompt, fewer tokens), or look into the logs of the hosts.`
    throw new GatewayError('upstream_crashed', message, { retryAfterMs, saysWhen: true })
  }

  #forgetOld(): void {
    const nowMs = this.#clock.now()
    for (const [fingerprint, suspect] of this.#suspects) {
      if (nowMs - suspect.lastMs < rememberedMs) return
      this.#forget(fingerprint, suspect)
    }
  }

  #forget(fingerprint: string, { bytes }: Suspect): void {
    this.#suspects.delete(fingerprint)
    const left = (this.#lengths.get(bytes) ?? 1) - 1
    if (left === 0) this.#lengths.delete(bytes)
    else this.#lengths.set(bytes, left)
  }
}
