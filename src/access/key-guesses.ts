/** Counts wrong keys by the address they come from, and slows an address that tries many. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'

const windowMs = 60_000
/** Of addresses that failed lately; some 100 bytes each. */
const addressesMax = 10_000

export class KeyGuesses {
  readonly #clock: Clock
  readonly #msEach: number
  /** By address: until when its failures so far are paid off, each of which costs its share of a minute. */
  readonly #paidOffAtMs = new BoundedMap<string, number>(addressesMax)

  constructor({ failedKeysPerMinute, clock }: { failedKeysPerMinute: number; clock: Clock }) {
    this.#clock = clock
    this.#msEach = windowMs / failedKeysPerMinute
  }

  /**
   * A key from this address was wrong: null, or why the answer is not even that. Never asked about good keys, which
   * others behind the same address may have.
   */
  failed(address: string): GatewayError | null {
    const network = networkOf(address)
    const now = this.#clock.now()
    const paidOffAtMs = Math.max(this.#paidOffAtMs.get(network) ?? 0, now)
    const waitMs = paidOffAtMs + this.#msEach - windowMs - now
    // One that is refused pays nothing, and stays among the newest, so that others cannot push it out.
    this.#paidOffAtMs.set(network, waitMs > rounding ? paidOffAtMs : paidOffAtMs + this.#msEach)
    if (waitMs <= rounding) return null
    return new GatewayError('rate_limit_exceeded', 'Too many wrong API keys came from this address.', {
      retryAfterMs: Math.ceil(waitMs),
    })
  }
}

/** A minute divided by what is no divisor of it does not add up to a minute again. */
const rounding = 1e-3

/** IPv6 by its first 64 bits, of which a household or a machine has at least one whole; all else by the address. */
export function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail] = address.toLowerCase().split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? [] : tail.split(':')
    while (groups.length + after.length < 8) groups.push('0')
    groups.push(...after)
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`
}
