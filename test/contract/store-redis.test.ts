/** The suite of all stores, over the one of a gateway that is one of several. */
import { afterAll, beforeAll, describe } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { openFleetMember } from '../kit/redis-stores.ts'
import { scratchFolder } from '../kit/stored-rows.ts'
import { storeContract } from './store.contract.ts'

describe.skipIf(!hasRedis)('with a real Redis', () => {
  let redis: RedisServer
  let fleets = 0
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  storeContract('the store of a gateway that is one of several', async () => {
    const folder = scratchFolder()
    fleets += 1
    const member = await openFleetMember({ url: redis.url, fleet: `fleet-${fleets}`, path: folder.storePath })
    return {
      store: member.store,
      async [Symbol.asyncDispose]() {
        await member.close()
        folder[Symbol.dispose]()
      },
    }
  })
})
