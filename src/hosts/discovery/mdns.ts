/** Hosts that announce themselves on the local network: multicast DNS, RFC 6762 and 6763. */
import type { Clock } from '../../base/clock.ts'

/** What a host said of itself, and where it said it. */
export interface Announced {
  /** Of the service, as it calls itself. */
  readonly name: string
  /** IPv4 address that the announcement came from: names ending in .local are not resolved everywhere. */
  readonly address: string
  readonly port: number
}

export interface BrowseOptions {
  readonly forMs: number
  /** Address of the interface to listen on; all of them where it is absent. */
  readonly interface?: string | undefined
  /** UDP port; 5353 where it is absent. */
  readonly port?: number | undefined
}

/** So many are listed: anybody on the network can announce anything, as often as they like. */
const announcedMax = 64

/**
 * Everybody who says that they are of the type, such as `opta-lmx` for `_opta-lmx._tcp.local`. Rejects where the network
 * cannot be listened to.
 */
export async function browse(type: string, options: BrowseOptions, clock: Clock): Promise<readonly Announced[]> {
  // Only when it is asked for: no start of the gateway waits for it.
  const { Bonjour } = await import('bonjour-service')
  const found = new Map<string, Announced>()
  const { interface: address, port } = options
  // With an interface given, the socket would be bound to it and hear no multicast.
  const where = address === undefined ? {} : { interface: address, bind: '0.0.0.0' }
  return new Promise((resolve, reject) => {
    const bonjour = new Bonjour({ ...where, ...(port === undefined ? {} : { port }) }, reject)
    bonjour.find({ type }, ({ name, port: servicePort, referer }) => {
      if (found.size >= announcedMax || referer === undefined || !isPort(servicePort)) return
      found.set(`${referer.address}:${servicePort}`, { name, address: referer.address, port: servicePort })
    })
    clock.after(options.forMs, () => {
      bonjour.destroy()
      resolve([...found.values()])
    })
  })
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535
}
