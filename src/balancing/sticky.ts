/**
 * The same host for the same conversation, whatever it costs. For hosts that keep what they have read for long, and for
 * whoever wants to know beforehand where a conversation goes; where its host has no slot, it goes to the next one of its own.
 */
import type { Host } from '../hosts/host.ts'
import { type Chance, freeOf, leastOf, type Policy } from './policy.ts'
import type { Prompt } from './prompt.ts'

export function sticky(chance: Chance): Policy {
  return {
    choose: ({ prompt }, places) => {
      const free = freeOf(places)
      const key = conversationOf(prompt)
      if (key === null) return { place: leastOf(free, ({ running }) => running, chance), reason: 'least_busy' }
      // Rendezvous hashing: of each conversation an order of all hosts, so that only those of a host that goes move.
      return { place: leastOf(free, ({ host }) => mixed(hostHash(host) ^ key), chance), reason: 'sticky' }
    },
  }
}

/** Null where nothing tells it from others: what many conversations begin with would send all of them to one host. */
function conversationOf({ session, print, person = null }: Prompt): number | null {
  if (session !== null) return hashOf(session)
  // The first beginning that goes beyond what is common, and so the same at each turn.
  const digest = print?.digests[print.commonCount]
  if (digest !== undefined) return hashOf(String(digest))
  return person === null ? null : hashOf(person)
}

const hostHashes = new WeakMap<Host, number>()

function hostHash(host: Host): number {
  let hash = hostHashes.get(host)
  if (hash === undefined) {
    hash = hashOf(host.name)
    hostHashes.set(host, hash)
  }
  return hash
}

/** FNV-1a, of 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return mixed(hash)
}

/** The last step of MurmurHash3: each bit of what goes in changes half of those that come out. */
function mixed(hash: number): number {
  let bits = hash
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return (bits ^ (bits >>> 16)) >>> 0
}
