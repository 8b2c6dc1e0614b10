/** One slot on one host: held while an attempt runs there, given back exactly once, when the attempt has really ended. */
import type { Choice } from '../balancing/policy.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Bill } from './bill.ts'

export interface LeaseParts {
  readonly grantedAtMs: number
  readonly bill: Bill
  readonly class: RequestClass
  /** As `SlotRequest.giveBack`. */
  readonly giveBack?: (() => boolean) | undefined
  readonly onRelease: (lease: Lease) => void
}

export class Lease {
  readonly host: Host
  /** The name of the model on that host. */
  readonly model: string
  /** Why this host was chosen. */
  readonly reason: string
  /** Monotonic. */
  readonly grantedAtMs: number
  readonly bill: Bill
  readonly class: RequestClass
  readonly #giveBack: (() => boolean) | undefined
  readonly #onRelease: (lease: Lease) => void
  #released = false
  #givesBack = false

  constructor(choice: Choice, { grantedAtMs, bill, class: ofClass, giveBack, onRelease }: LeaseParts) {
    this.grantedAtMs = grantedAtMs
    this.host = choice.candidate.host
    this.model = choice.candidate.model
    this.reason = choice.reason
    this.bill = bill
    this.class = ofClass
    this.#giveBack = giveBack
    this.#onRelease = onRelease
    this.host.leases.add(this)
    this.host.health.attemptBegan()
  }

  /** It was asked to be given back, and will be. */
  get givesBack(): boolean {
    return this.#givesBack
  }

  /** Somebody more urgent waits: true where it will be released soon. */
  askBack(): boolean {
    if (this.#released || this.#givesBack || this.#giveBack === undefined) return false
    this.#givesBack = this.#giveBack()
    return this.#givesBack
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.host.leases.delete(this)
    this.#onRelease(this)
  }
}
