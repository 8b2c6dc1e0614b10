/** One slot on one host: held while an attempt runs there, given back exactly once, when the attempt has really ended. */
import type { Choice } from '../balancing/policy.ts'
import type { Host } from '../hosts/host.ts'

export class Lease {
  readonly host: Host
  /** The name of the model on that host. */
  readonly model: string
  /** Why this host was chosen. */
  readonly reason: string
  /** Monotonic. */
  readonly grantedAtMs: number
  readonly #onRelease: (lease: Lease) => void
  #released = false

  constructor(choice: Choice, grantedAtMs: number, onRelease: (lease: Lease) => void) {
    this.grantedAtMs = grantedAtMs
    this.host = choice.candidate.host
    this.model = choice.candidate.model
    this.reason = choice.reason
    this.#onRelease = onRelease
    this.host.leases.add(this)
    this.host.health.attemptBegan()
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.host.leases.delete(this)
    this.#onRelease(this)
  }
}
