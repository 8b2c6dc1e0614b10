/** Counts the open connections, in all and by the address or IPv6 network they come from, and says when one is too many. */
import type { Socket } from 'node:net'
import { networkOf } from '../access/key-guesses.ts'
import { GatewayError } from '../base/errors.ts'
import { canonicalAddress } from './client-address.ts'
import type { ServerOptions } from './options.ts'

export type ConnectionLimits = Pick<ServerOptions, 'connectionsMax' | 'connectionsPerAddressMax'>

export class OpenConnections {
  readonly #limits: ConnectionLimits
  readonly #byNetwork = new Map<string, number>()
  #open = 0

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get open(): number {
    return this.#open
  }

  /** Counts it until it closes; returns why it cannot stay, or null. */
  add(socket: Socket): GatewayError | null {
    const network = networkAt(socket)
    const others = this.#byNetwork.get(network) ?? 0
    const problem = this.#problem(others)
    // One that is refused is closed by somebody else, and soon; it must not count against the next.
    if (problem !== null) return problem
    this.#byNetwork.set(network, others + 1)
    this.#open++
    socket.once('close', () => this.#remove(network))
    return null
  }

  #problem(others: number): GatewayError | null {
    const { connectionsMax, connectionsPerAddressMax } = this.#limits
    if (others >= connectionsPerAddressMax) {
      return new GatewayError('overloaded', 'Too many connections are open from your address; close some.')
    }
    if (this.#open < connectionsMax) return null
    return new GatewayError('overloaded', 'Too many connections are open.')
  }

  #remove(network: string): void {
    this.#open--
    const left = (this.#byNetwork.get(network) ?? 1) - 1
    if (left === 0) this.#byNetwork.delete(network)
    else this.#byNetwork.set(network, left)
  }
}

/** As wrong keys are counted: whoever has one address of an IPv6 network has all of them. */
function networkAt({ remoteAddress = '' }: Socket): string {
  return networkOf(canonicalAddress(remoteAddress) ?? remoteAddress)
}
