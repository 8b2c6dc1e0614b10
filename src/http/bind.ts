/** Binds a listener to its address, or says in one sentence what stands in the way. */
import type { AddressInfo } from 'node:net'
import { StartError } from '../base/start-error.ts'
import type { Listener } from './listener.ts'

export async function bind(
  listener: Listener,
  address: { bind: string; port: number },
  flags: { portFlag: string; bindFlag: string },
): Promise<AddressInfo> {
  const { bind: host, port } = address
  try {
    return await listener.listen(host, port)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const where = `${host}:${port}`
    switch (code) {
      case 'EADDRINUSE':
        throw new StartError(
          `${where} is in use; stop the program there or choose another port with ${flags.portFlag}.`,
        )
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new StartError(`${host} is no address of this machine; choose another with ${flags.bindFlag}.`)
      case 'EACCES':
        throw new StartError(`No permission to listen on ${where}; choose a port above 1023 with ${flags.portFlag}.`)
      default:
        throw new StartError(`Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}.`)
    }
  }
}

/** Clients without a key are served on loopback only, unless that is wanted. */
export function openDoor(address: string): StartError {
  return new StartError(
    `--bind: ${address} can be reached from other machines, and no key was ever created: ` +
      'create one with "lmx-gateway keys create --name NAME", bind to 127.0.0.1, or say --allow-anonymous ' +
      '(server.allowAnonymous: true), which lets everybody who reaches the port use the hosts.',
  )
}

/** As a client writes it. */
export function urlOf({ address, port, family }: AddressInfo, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
