/**
 * The addresses of one host's name. They are asked for anew at each connection, so that a change is seen at once; the
 * last good answer stands in where the new one fails or takes long, as name servers do when a network comes and goes.
 */
import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Clock } from '../base/clock.ts'

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/** Asks for all addresses of a name, of both families. */
export type ResolveName = (name: string, answer: Answer) => void

export const resolveBySystem: ResolveName = (name, answer) => systemLookup(name, { all: true }, answer)

/** Then the last good answer is used, if there is one; the late one is kept for the next connection. */
const answerMsMax = 1_000
/** How long an answer may stand in for a new one. */
const keptMsMax = 60_000

/** Its name leads to addresses alone that it may not have. */
export const addressRefusedCode = 'ADDRESS_NOT_ALLOWED'

export class NameLookup {
  readonly #resolve: ResolveName
  readonly #clock: Clock
  readonly #mayConnectTo: (address: string) => boolean
  #kept: { readonly addresses: LookupAddress[]; readonly atMs: number } | null = null
  #waiting: Answer[] = []
  #asking = false
  #late = false

  constructor(resolve: ResolveName, clock: Clock, mayConnectTo: (address: string) => boolean = () => true) {
    this.#resolve = resolve
    this.#clock = clock
    this.#mayConnectTo = mayConnectTo
  }

  /** For `net.connect`. One question is under way at a time: the system answers each with one of its few threads. */
  readonly lookup: LookupFunction = (name, options, callback) => {
    const answer: Answer = (failure, found) => {
      // Here, behind what was kept: connected is to what was looked at, and to nothing that is looked up again.
      const addresses = found.filter(({ address }) => this.#mayConnectTo(address))
      const error = failure ?? (addresses.length < found.length && addresses.length === 0 ? addressRefused() : null)
      if (options.all === true) callback(error, addresses)
      else callback(error, addresses[0]?.address ?? '', addresses[0]?.family)
    }
    const kept = this.#late ? this.#keptNow() : null
    if (kept !== null) {
      answer(null, kept)
      return
    }
    this.#waiting.push(answer)
    if (!this.#asking) this.#ask(name)
  }

  #ask(name: string): void {
    this.#asking = true
    const timer = this.#clock.after(answerMsMax, () => {
      this.#late = true
      const kept = this.#keptNow()
      if (kept !== null) this.#tell(null, kept)
    })
    this.#resolve(name, (error, addresses) => {
      timer.cancel()
      this.#asking = false
      this.#late = false
      if (error === null) this.#kept = { addresses, atMs: this.#clock.now() }
      const kept = this.#keptNow()
      if (kept === null) this.#tell(error, [])
      else this.#tell(null, kept)
    })
  }

  #keptNow(): LookupAddress[] | null {
    const kept = this.#kept
    return kept !== null && this.#clock.now() - kept.atMs <= keptMsMax ? kept.addresses : null
  }

  #tell(error: NodeJS.ErrnoException | null, addresses: LookupAddress[]): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const answer of waiting) answer(error, addresses)
  }
}

function addressRefused(): NodeJS.ErrnoException {
  return Object.assign(new Error('the name leads to an address that it may not have'), { code: addressRefusedCode })
}
