/** Addresses that somebody names, and those at which no more than a neighbour can be. */
import { BlockList, isIP } from 'node:net'

/** Where the servers of the kinds that are known listen unless told otherwise. */
export const knownPorts: readonly number[] = [
  1234, // Opta LMX, LM Studio
  11_434, // Ollama
  8_000, // vLLM
  8_080, // llama.cpp, mlx-lm
  30_000, // SGLang
]

/** The URLs that one address stands for: `mini.local` or `10.0.0.5` at each known port, `mini.local:9000` at its own. Null where it is none. */
export function urlsOf(address: string): readonly string[] | null {
  const isUrl = address.includes('://')
  const bare = isIP(address) === 6 ? `[${address}]` : address
  const url = URL.parse(isUrl ? address : `http://${bare}`)
  if (url === null || !isOrigin(url)) return null
  // The parser drops a port that is the default of the scheme.
  const hasPort = isUrl || url.port !== '' || bare.endsWith(':80')
  return hasPort ? [url.origin] : knownPorts.map((port) => `http://${url.hostname}:${port}`)
}

function isOrigin({ protocol, username, password, pathname, search, hash }: URL): boolean {
  return /^https?:$/.test(protocol) && pathname === '/' && username + password + search + hash === ''
}

const neighbours = new BlockList()
for (const [network, prefix] of [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  // Of carriers, and of private networks over the internet that borrow them.
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
] as const) {
  neighbours.addSubnet(network, prefix, 'ipv4')
}

/** An IPv4 address of this machine or of a private network. Link-local ones are not: clouds answer there with their secrets. */
export function isNeighbour(address: string): boolean {
  return isIP(address) === 4 && neighbours.check(address, 'ipv4')
}
