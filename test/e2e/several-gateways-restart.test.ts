/** A new version of several gateways, one after the other, under streams that go on meanwhile: nobody notices. */
import { expect, test } from 'vitest'
import { hasRedis } from '../kit/redis.ts'
import { isMissing } from '../kit/several-gateways/balancer.ts'
import { SeveralGateways } from '../kit/several-gateways/several-gateways.ts'
import { Together } from '../kit/several-gateways/together.ts'
import { becomesTrue } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const streams = isLong ? 200 : 60
const gateways = isLong ? 4 : 3
/** Each takes some 3 s. */
const cost = { ttftMs: 100, decodeTokensPerSecond: 20 }

test.skipIf(!hasRedis || isMissing('haproxy'))(
  `${gateways} gateways, each stopped and started again under ${streams} streams: none is cut, none refused`,
  async () => {
    await using house = await SeveralGateways.start({
      gateways,
      hosts: [1, 2].map((at) => ({ name: `host-${at}`, models: ['org/model'], slots: streams / 2, cost })),
      keys: { everybody: {} },
    })
    const group = { name: 'stream', key: 'everybody', secret: house.keys['everybody']?.secret ?? '', clients: streams }
    await house.load.begin([{ ...group, model: 'org/model', stream: true, tokens: [40, 80] }], house.balancer.url)
    for (const replica of house.replicas) {
      await becomesTrue(30_000, 'streams to run', async () => (await streamsAt(house)) > streams / 2)
      expect(await replica.stop()).toEqual({ code: 0, signal: null })
      await house.ready(false, replica)
      await replica.start()
      await house.ready(true, replica)
    }
    await house.load.stop()
    const together = new Together(await house.load.tell())
    const { whole = 0, ...others } = together.ends()
    expect(others).toEqual({})
    expect(whole).toBeGreaterThan(streams * gateways)
    for (const replica of house.replicas) {
      await replica.comesToRest()
      expect(replica.strayLines).toEqual([])
      expect(replica.log.filter(({ level }) => level === 'error')).toEqual([])
    }
  },
  300_000,
)

async function streamsAt({ replicas }: SeveralGateways): Promise<number> {
  const each = await Promise.all(replicas.map((replica) => replica.sum('open_streams')))
  return each.reduce((sum, count) => sum + count, 0)
}
