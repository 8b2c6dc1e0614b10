/** The address a request comes from, in one spelling: that of the connection, or what a trusted proxy says of its client. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, type Socket, SocketAddress } from 'node:net'

/** Of a connection that is gone already. */
const unknownAddress = 'unknown'

export class ClientAddresses {
  readonly #trusted = new BlockList()
  readonly #anyTrusted: boolean
  /** Of connections, which keep theirs. */
  readonly #known = new WeakMap<Socket, string>()

  /** Addresses and ranges of proxies, as the configuration has them. */
  constructor(trustedProxies: readonly string[]) {
    this.#anyTrusted = trustedProxies.length > 0
    for (const text of trustedProxies) {
      const range = addressRange(text)
      if (range === null) throw new TypeError(`${text} is no address and no range of addresses`)
      this.#trusted.addSubnet(range.address, range.prefix, familyOf(range.address))
    }
  }

  /**
   * Of the header only what a trusted proxy added counts: from the right, each entry was written by the one before it,
   * up to the first that is no proxy of ours. An entry that is no address ends it: who wrote that is the last we know of.
   */
  of({ socket, headers }: IncomingMessage): string {
    let address = this.#addressOf(socket)
    if (address === null) return unknownAddress
    if (!this.#trusts(address)) return address
    const entries = String(headers['x-forwarded-for'] ?? '').split(',')
    for (const entry of entries.toReversed()) {
      const next = canonicalAddress(withoutPort(entry.trim()))
      if (next === null) return address
      address = next
      if (!this.#trusts(address)) return address
    }
    return address
  }

  #addressOf(socket: Socket): string | null {
    const known = this.#known.get(socket)
    if (known !== undefined) return known
    const address = canonicalAddress(socket.remoteAddress ?? '')
    if (address !== null) this.#known.set(socket, address)
    return address
  }

  #trusts(address: string): boolean {
    return this.#anyTrusted && this.#trusted.check(address, familyOf(address))
  }
}

/** One spelling of each address, without the zone of a link-local one; IPv4 also where it comes inside of IPv6. Null for anything else. */
export function canonicalAddress(text: string): string | null {
  const bare = text.replace(/%[\w.-]{1,32}$/, '')
  const version = isIP(bare)
  if (version === 4) return bare
  if (version === 0) return null
  const { address } = new SocketAddress({ address: bare, family: 'ipv6' })
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address
}

/** Whether the address lies in one of the ranges, each as `addressRange` takes them. */
export function isInside(text: string, ranges: readonly string[]): boolean {
  const address = canonicalAddress(text)
  const list = new BlockList()
  for (const range of ranges) {
    const read = addressRange(range)
    if (read !== null) list.addSubnet(read.address, read.prefix, familyOf(read.address))
  }
  return address !== null && list.check(address, familyOf(address))
}

export interface AddressRange {
  readonly address: string
  readonly prefix: number
}

/** `10.0.0.0/8`, `fd00::1`; null for what is neither an address nor a range. */
export function addressRange(text: string): AddressRange | null {
  const [, given = '', digits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = given.includes('%') ? null : canonicalAddress(given)
  if (address === null) return null
  const givenBits = isIP(given) === 4 ? 32 : 128
  // Of IPv4 that was written inside of IPv6 the first 96 bits are always the same.
  const prefix = Number(digits ?? givenBits) - (givenBits - (familyOf(address) === 'ipv4' ? 32 : 128))
  return Number(digits ?? 0) <= givenBits && prefix >= 0 ? { address, prefix } : null
}

/** Some proxies add the port, and IPv6 stands in brackets then. */
function withoutPort(entry: string): string {
  return /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ?? entry
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}
