/** Accounts that have requests at once which are limited: how many is said again now and then, whatever was said, so that none is held for ever. */
import type { SharedAccount } from './shared-account.ts'

const againEveryMs = 10_000

export class BusyAccounts {
  readonly #accounts = new Set<SharedAccount>()
  #saidAtMs = 0

  add(one: SharedAccount): void {
    this.#accounts.add(one)
  }

  /** Those of which it is due. */
  *toSayAgain(nowMs: number): Iterable<SharedAccount> {
    if (nowMs - this.#saidAtMs < againEveryMs) return
    this.#saidAtMs = nowMs
    for (const one of this.#accounts) {
      if (one.account.live === 0) this.#accounts.delete(one)
      else {
        one.tellLiveAgain()
        yield one
      }
    }
  }
}
