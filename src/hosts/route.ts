/** Where a request may go: what whoever chooses a host, or waits for one, knows of a name. */
import { GatewayError } from '../base/errors.ts'
import type { Host } from './host.ts'

/** A host that could serve a request, and the name the model has there. */
export interface Candidate {
  readonly host: Host
  readonly model: string
}

/** Where a request may go; asked again whenever a host is to be chosen, since hosts come and go while it waits. */
export interface Route {
  /** Routes with the same have the same candidates, as long as `contexts` stay what they are. */
  readonly id: string
  /** Those of the hosts that it tells apart by its length; null or absent where it does not. */
  readonly contexts?: string | null
  /** The name the client used: a configured alias or a name that a host lists. */
  readonly model: string
  /** Hosts that may take it now, whether a slot is free or not; without those that failed on it, as if they were down. */
  candidates(excluded?: ReadonlySet<Host>): readonly Candidate[]
  /** What a newcomer would be told where none of the other hosts has it any more, up or not; null while one does. */
  gone(excluded?: ReadonlySet<Host>): GatewayError | null
}

/** While none of its hosts can be asked. */
export function unavailable(name: string): GatewayError {
  return new GatewayError('no_upstream_available', `No host that serves "${name}" can be reached now.`)
}
