/** Keys of several gateways, from the command line of a machine that one of them is on, or may be. */
import type { KeyStore } from '../access/key-store.ts'
import { systemClock } from '../base/clock.ts'
import { StartError } from '../base/start-error.ts'
import { StoreError } from '../base/store-error.ts'
import type { RedisOptions } from '../stores/options.ts'
import { RedisKeys } from '../stores/redis/key-store.ts'
import { RedisLink } from '../stores/redis/link.ts'
import type { Store } from '../stores/store.ts'
import type { Io } from './command.ts'
import { printable } from './printable.ts'

export interface FleetKeysHere {
  readonly keys: KeyStore
  close(): Promise<void>
}

/** Connects when it is first asked: most of what is asked of a store is not about keys. */
export function fleetKeysHere(file: Store, redis: RedisOptions, io: Io): FleetKeysHere {
  // What this program says of Redis it says below, in the words of a command.
  const link = new RedisLink(redis, { clock: systemClock, log: () => {}, chance: Math.random })
  let opened: Promise<RedisKeys> | null = null
  const keys = (): Promise<RedisKeys> => {
    opened ??= open(link, file, io)
    return opened
  }
  return {
    keys: {
      insert: async (...values) => (await keys()).insert(...values),
      replace: async (...values) => (await keys()).replace(...values),
      find: async (...values) => (await keys()).find(...values),
      list: async (...values) => (await keys()).list(...values),
      setAdminTokenDigest: async (...values) => (await keys()).setAdminTokenDigest(...values),
      note: async (...values) => (await keys()).note(...values),
      audit: async (...values) => (await keys()).audit(...values),
    },
    async close() {
      const known = await opened?.catch(() => null)
      known?.close()
      await link.close()
    },
  }
}

async function open(link: RedisLink, file: Store, io: Io): Promise<RedisKeys> {
  try {
    await link.start()
  } catch (error) {
    throw error instanceof StartError ? new StoreError(error.message, { cause: error }) : error
  }
  const { problem } = link.state
  if (problem !== null)
    io.err(`Note: ${printable(problem)} Keys are shown as this machine last knew them, and none can be changed.`)
  const keys = new RedisKeys({
    link,
    file,
    clock: systemClock,
    log: (level, message) => {
      if (level !== 'info') io.err(`Note: ${printable(message)}.`)
    },
  })
  await keys.open(file.state)
  return keys
}
