import { expect, test } from 'vitest'
import { replicasText } from '../../../src/cli/replicas-text.ts'

const nowMs = Date.UTC(2026, 10, 1, 12, 0, 0)
const since = '2026-11-01T11:00:00.000Z'

test('gateways are listed with what they have to do, and whether they share their limits', () => {
  const one = { id: 'aa', name: 'gw-1', version: '1.0.0', startedAt: '2026-11-01T11:59:00.000Z', beatAgeMs: 150 }
  const text = replicasText(
    {
      sharing: { isShared: true, since, why: null },
      replicas: [
        { ...one, running: 1_200, waiting: 3, isThis: true },
        {
          id: 'bb',
          name: null,
          version: null,
          startedAt: null,
          beatAgeMs: 0,
          running: null,
          waiting: null,
          isThis: false,
        },
      ],
    },
    nowMs,
  )
  expect(text).toMatch(
    /^2 gateways\. Limits, slots and budgets are those of all together, since 2026-11-01T11:00:00\.000Z\.$/m,
  )
  expect(text).toMatch(/^gateway +version +up for +last beat +running +waiting +id$/m)
  expect(text).toMatch(/^gw-1 \(this one\) +1\.0\.0 +\S+.* 1,200 +3 +aa$/m)
  expect(text).toMatch(/^- +- +- +\S+.* - +- +bb$/m)
})

test('why nothing is shared is said', () => {
  const text = replicasText({ sharing: { isShared: false, since, why: 'Redis is gone.' }, replicas: [] }, nowMs)
  expect(text).toContain('0 gateways. Nothing is shared, since 2026-11-01T11:00:00.000Z: Redis is gone.')
})
