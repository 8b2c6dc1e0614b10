/** Who may talk to the admin listener at all, before any token is looked at: by one of its own names, and from no foreign page. */
import { isIPv6 } from 'node:net'
import { GatewayError } from '../../base/errors.ts'
import { canonicalAddress } from '../client-address.ts'

/** What is looked at of a request. */
export interface CallerHead {
  /** Origin-form or absolute. */
  readonly target: string
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly secFetchSite: string | string[] | undefined
  /** Address of this machine at which the connection came in. */
  readonly localAddress: string | undefined
}

/** Names by which a browser on this machine, or the operator, reaches the listener. */
const loopbackNames = ['localhost', '127.0.0.1', '::1']

export class CallerRules {
  readonly #names: ReadonlySet<string>

  /** `bind` and `hostNames` of the configuration. */
  constructor(bind: string, hostNames: readonly string[]) {
    this.#names = new Set([...loopbackNames, bind, ...hostNames].map(canonicalName))
  }

  /** Why the request is refused; null for one whose token may be looked at. */
  problem(head: CallerHead): GatewayError | null {
    return this.#hostProblem(head) ?? originProblem(head)
  }

  /** A page whose own name was made to point here (DNS rebinding) still sends that name. */
  #hostProblem({ target, host = '', localAddress }: CallerHead): GatewayError | null {
    const absolute = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1]
    const named = absolute === undefined ? [host] : [host, absolute]
    if (named.every((authority) => this.#isOwn(authority, localAddress))) return null
    return new GatewayError(
      'misdirected_request',
      'Call the admin listener by its own address, or by a name that admin.hostNames has.',
    )
  }

  #isOwn(authority: string, localAddress: string | undefined): boolean {
    const name = nameOf(authority)
    if (name === null) return false
    return this.#names.has(name) || (localAddress !== undefined && name === canonicalName(localAddress))
  }
}

/** Browsers say from where a request comes, and programs do not; a sandboxed page says `null`. */
function originProblem({ host = '', origin, secFetchSite }: CallerHead): GatewayError | null {
  const isOwnPage = origin === undefined || pageAuthority(origin) === host.toLowerCase()
  // `none`: the address was typed in, or is a bookmark.
  const isOwnSite = secFetchSite === undefined || secFetchSite === 'same-origin' || secFetchSite === 'none'
  if (isOwnPage && isOwnSite) return null
  return new GatewayError('permission_denied', 'Pages of other origins may not call the admin listener.')
}

function pageAuthority(origin: string): string | null {
  return /^https?:\/\/([^/?#@]+)$/i.exec(origin)?.[1]?.toLowerCase() ?? null
}

/** The host of `host`, `host:port`, `[v6]` or `[v6]:port`, whatever the port: that one may be mapped. Null for what is none. */
function nameOf(authority: string): string | null {
  const [, literal, name] = /^(?:\[([\dA-Fa-f:.]+)\]|([\w.-]+))(?::\d{1,5})?$/.exec(authority) ?? []
  if (literal !== undefined) return isIPv6(literal) ? canonicalName(literal) : null
  return name === undefined ? null : canonicalName(name)
}

/** Addresses in their one spelling, names in lower case. */
function canonicalName(name: string): string {
  return canonicalAddress(name) ?? name.toLowerCase()
}
