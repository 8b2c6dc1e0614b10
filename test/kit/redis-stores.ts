/** Stores of gateways of one fleet, on a real Redis. */
import { systemClock } from '../../src/base/clock.ts'
import { randomId } from '../../src/base/ids.ts'
import type { Log } from '../../src/base/log.ts'
import { LateStore } from '../../src/stores/late-store.ts'
import { storageOptions } from '../../src/stores/options.ts'
import { FleetStore } from '../../src/stores/redis/fleet-store.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import type { Store } from '../../src/stores/store.ts'
import { silentLog } from './silent-log.ts'

export interface FleetMember {
  readonly store: Store
  readonly fleet: FleetStore
  readonly link: RedisLink
  /** As a gateway ends that has the time for it. */
  close(): Promise<void>
}

export interface FleetMemberSettings {
  readonly url: string
  readonly fleet: string
  /** Default: in memory. */
  readonly path?: string
  readonly name?: string
  readonly allowAnonymous?: boolean
  readonly log?: Log
  /** Hears none of the messages that others publish. */
  readonly isDeaf?: boolean
}

/** Rejects as a gateway would. */
export async function openFleetMember({
  url,
  fleet: fleetName,
  path = ':memory:',
  name = 'one',
  allowAnonymous = false,
  log = silentLog,
  isDeaf = false,
}: FleetMemberSettings): Promise<FleetMember> {
  const { redis } = storageOptions.parse({ redis: { url, fleet: fleetName } })
  if (redis === undefined) throw new Error('there is no redis in the options')
  const parts = { clock: systemClock, log, chance: Math.random }
  const link = new RedisLink(redis, parts)
  if (isDeaf) link.subscribe = async () => {}
  await link.start()
  const file = new LateStore({ path, role: 'gateway', redis })
  const fleet = new FleetStore(file, {
    ...parts,
    link,
    replicas: { keepCount() {} },
    id: randomId(8),
    name,
    allowAnonymous,
  })
  try {
    const store = await fleet.open()
    return {
      store,
      fleet,
      link,
      async close() {
        await fleet.handOverLast(5_000)
        await link.close()
        await fleet.close()
      },
    }
  } catch (error) {
    await link.close()
    await fleet.close()
    throw error
  }
}
