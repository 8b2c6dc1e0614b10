/** Counts the open connections, in all and by the address they come from, and says when one is too many. */
import type { Socket } from 'node:net'
import { GatewayError } from '../base/errors.ts'
import type { ServerOptions } from './options.ts'

export type ConnectionLimits = Pick<ServerOptions, 'connectionsMax' | 'connectionsPerAddressMax'>

export class OpenConnections {
  readonly #limits: ConnectionLimits
  readonly #byAddress = new Map<string, number>()
  #open = 0

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  /** Counts it until it closes; returns why it cannot stay, or null. */
  add(socket: Socket): GatewayError | null {
    const address = addressOf(socket)
    const others = this.#byAddress.get(address) ?? 0
    const problem = this.#problem(others)
    // One that is refused is closed by somebody else, and soon; it must not count against the next.
    if (problem !== null) return problem
    this.#byAddress.set(address, others + 1)
    this.#open++
    socket.once('close', () => this.#remove(address))
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

  #remove(address: string): void {
    this.#open--
    const left = (this.#byAddress.get(address) ?? 1) - 1
    if (left === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, left)
  }
}

/** The same address whether or not the listener speaks IPv6 too. */
function addressOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress
}
