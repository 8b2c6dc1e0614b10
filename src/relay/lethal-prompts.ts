/**
 * Requests that hosts do not survive. One that two hosts broke off is given to no third for a while, whoever sends it:
 * else one prompt, sent again and again by a client that means well, takes down the whole fleet.
 */
import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { Endpoint } from '../wire/endpoints.ts'

/** One host may have gone for a reason of its own. */
const hostsMax = 2
const refusedMs = 60_000
/** A client that tries again later than so finds that nothing is held against its request. */
const rememberedMs = 600_000
/** The oldest is forgotten first; each costs a host its connection, so that nobody makes many in a short time. */
const suspectsMax = 1_000

interface Suspect {
  readonly bytes: number
  /** Names of hosts. */
  readonly droppedBy: Set<string>
  /** Monotonic. */
  lastMs: number
}

export class LethalPrompts {
  readonly #clock: Clock
  /** By fingerprint, the one that was dropped the longest ago first. */
  readonly #suspects = new Map<string, Suspect>()
  /** How many suspects are so long: any other request need not be looked at. */
  readonly #lengths = new Map<number, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#suspects.size
  }

  /** The host closed the connection on this request; of one whose answer had begun there are no bytes left to know it by. */
  dropped(host: Host, endpoint: Endpoint, request: { readonly bytes: Uint8Array } | null): void {
    const body = request?.bytes
    if (body === undefined || body.length === 0) return
    this.#forgetOld()
    const fingerprint = fingerprintOf(endpoint, body)
    const known = this.#suspects.get(fingerprint)
    const { droppedBy = new Set<string>() } = known ?? {}
    if (droppedBy.size < hostsMax) droppedBy.add(host.name)
    if (known !== undefined) this.#forget(fingerprint, known)
    this.#suspects.set(fingerprint, { bytes: body.length, droppedBy, lastMs: this.#clock.now() })
    this.#lengths.set(body.length, (this.#lengths.get(body.length) ?? 0) + 1)
    for (const [oldest, suspect] of this.#suspects) {
      if (this.#suspects.size <= suspectsMax) break
      this.#forget(oldest, suspect)
    }
  }

  /** Throws where no host is to be given this request now. */
  check(endpoint: Endpoint, body: Uint8Array): void {
    if (!this.#lengths.has(body.length)) return
    const suspect = this.#suspects.get(fingerprintOf(endpoint, body))
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

function fingerprintOf({ path }: Endpoint, body: Uint8Array): string {
  return `${path} ${hash('sha256', body, 'base64')}`
}
