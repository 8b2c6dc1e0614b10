/** One slot on one host: held while an attempt runs there, given back exactly once, when the attempt has really ended. */

import type { Assignment } from '../balancing/assignment.ts'
import type { Decision } from '../balancing/decision.ts'
import type { DecisionRecord } from '../balancing/events.ts'
import { prefillMs } from '../balancing/speed.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { LoadVerdict } from '../hosts/model-memory.ts'
import type { Bill } from './bill.ts'

/** It would wait no longer than this, in one of two cases and in nine of ten. */
export interface ToldWait {
  readonly p50Ms: number
  readonly p90Ms: number
}

export interface LeaseParts {
  readonly grantedAtMs: number
  readonly bill: Bill
  readonly assignment: Assignment
  /** What is kept of the decision; null or absent where nobody looks. */
  readonly record?: DecisionRecord | null
  /** Its slot is taken, and nothing begins there before `begin` is called. */
  readonly isReserved?: boolean
  /** The name its client used. */
  readonly asked: string
  readonly class: RequestClass
  /** What it was told of its wait when it came; null where it was told nothing. */
  readonly told?: ToldWait | null
  /** As `SlotRequest.giveBack`. */
  readonly giveBack?: ((lease: Lease) => boolean) | undefined
  readonly onRelease: (lease: Lease) => void
}

export class Lease {
  readonly host: Host
  /** The name of the model on that host. */
  readonly model: string
  /** Why this host was chosen, and of which. */
  readonly decision: Decision
  readonly bill: Bill
  /** What its host has to do for it. */
  readonly assignment: Assignment
  /** The name its client used for the model. */
  readonly asked: string
  readonly class: RequestClass
  readonly told: ToldWait | null
  readonly #giveBack: ((lease: Lease) => boolean) | undefined
  readonly #onRelease: (lease: Lease) => void
  #record: DecisionRecord | null
  #grantedAtMs: number
  #leasesAtGrant = 0
  #begun = false
  #released = false
  #whole = false
  #left = false
  #abandoned = false
  #givesBack = false
  #loadVerdict: LoadVerdict = 'given_up'
  #loadedForMs = 0

  constructor(decision: Decision, parts: LeaseParts) {
    const { grantedAtMs, bill, assignment, asked, class: ofClass, told = null, giveBack, onRelease } = parts
    this.decision = decision
    this.#record = parts.record ?? null
    this.assignment = assignment
    this.told = told
    this.#grantedAtMs = grantedAtMs
    this.host = decision.place.host
    this.model = decision.place.model
    this.bill = bill
    this.asked = asked
    this.class = ofClass
    this.#giveBack = giveBack
    this.#onRelease = onRelease
    this.host.leases.add(this)
    if (parts.isReserved !== true) this.#begin()
  }

  /** Of one that was reserved: it was granted, at that time, and its attempt may begin. */
  begin(grantedAtMs: number, record: DecisionRecord | null): void {
    this.#grantedAtMs = grantedAtMs
    this.#record = record
    this.#begin()
  }

  /** False while it is only reserved. */
  get begun(): boolean {
    return this.#begun
  }

  /** Monotonic. */
  get grantedAtMs(): number {
    return this.#grantedAtMs
  }

  /** What is kept of the decision; null where nobody looks. */
  get record(): DecisionRecord | null {
    return this.#record
  }

  /** Why this host was chosen, in one word. */
  get reason(): string {
    return this.decision.reason
  }

  /** Leases of the host while it was held, itself included, about the mean; to be asked when it was released. */
  get together(): number {
    return (this.#leasesAtGrant + this.host.leases.size + 1) / 2
  }

  /** The first of its answer is there. */
  firstToken(): void {
    this.assignment.firstToken()
    const { uncachedTokens, speed } = this.decision.place
    this.#loaded(this.host.memory.content(this.model, this, prefillMs(uncachedTokens, speed)))
  }

  /** How long its host loaded the model for it. */
  get loadedForMs(): number {
    return this.#loadedForMs
  }

  /** Its attempt failed, which says so much of a load that it was to bring about. */
  failed(verdict: LoadVerdict): void {
    this.#loadVerdict = verdict
  }

  /** Its attempt brought a whole answer: how long that took tells how long others will. */
  succeeded(): void {
    this.#whole = true
  }

  get whole(): boolean {
    return this.#whole
  }

  /** Its client left before its end: what its host did until then is charged all the same, though nobody saw it. */
  leave(): void {
    this.#left = true
  }

  get left(): boolean {
    return this.#left
  }

  /** Whoever asked for it is gone, and only its host goes on: no class has anything of it. */
  abandon(): void {
    this.#abandoned = true
    this.assignment.goesUnseen()
  }

  get abandoned(): boolean {
    return this.#abandoned
  }

  /** It was asked to be given back, and will be. */
  get givesBack(): boolean {
    return this.#givesBack
  }

  /** Somebody more urgent waits: true where it will be released soon. */
  askBack(): boolean {
    if (!this.#begun || this.#released || this.#givesBack || this.#giveBack === undefined) return false
    // It may be released before this returns.
    this.#givesBack = true
    this.#givesBack = this.#giveBack(this)
    return this.#givesBack
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.host.leases.delete(this)
    if (this.#begun) this.#loaded(this.host.memory.ended(this.model, this, this.#whole ? null : this.#loadVerdict))
    this.#onRelease(this)
    this.host.leaseEnded()
  }

  #begin(): void {
    this.#begun = true
    this.host.memory.began(this.model, this, this.bill.flow.id)
    this.#leasesAtGrant = this.host.leases.size
    this.host.health.attemptBegan()
  }

  #loaded(ms: number): void {
    this.#loadedForMs += ms
    this.bill.loaded(ms, this.decision.place.speed)
  }
}
