/** Old rows of the ledger go: when, which, and what is said of it. */
import { expect, test } from 'vitest'
import type { LogFields } from '../../../src/base/log.ts'
import { StoreError } from '../../../src/base/store-error.ts'
import { createGateway } from '../../../src/gateway.ts'
import { Retention } from '../../../src/metering/retention.ts'
import { openStore } from '../../../src/stores/open-store.ts'
import { configOf } from '../../kit/config-of.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { scratchFolder, settledRow, usageQuery } from '../../kit/stored-rows.ts'
import { eventually } from '../../kit/within.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

function given(prune: () => Promise<number> = async () => 0) {
  const clock = new FakeClock()
  const log: [string, string, LogFields | undefined][] = []
  /** Of each removal: since the start, and how old the youngest is that goes. */
  const removals: { readonly afterMs: number; readonly olderThanMs: number }[] = []
  const startedMs = clock.wallMs()
  const retention = new Retention({
    clock,
    log: (...line) => void log.push(line as [string, string, LogFields | undefined]),
    retentionDays: 40,
    store: {
      prune: (beforeMs) => {
        removals.push({ afterMs: clock.wallMs() - startedMs, olderThanMs: clock.wallMs() - beforeMs })
        return prune()
      },
    },
  })
  return { clock, log, removals, retention }
}

test('rows go a minute after the start and every six hours from then on, as many days old as is set', async () => {
  const { clock, log, removals, retention } = given()
  retention.start()
  await clock.advance(minuteMs - 1)
  expect(removals).toEqual([])
  await clock.advance(1)
  expect(removals).toEqual([{ afterMs: minuteMs, olderThanMs: 40 * dayMs }])
  await clock.advance(6 * hourMs - 1)
  expect(removals).toHaveLength(1)
  await clock.advance(1 + 6 * hourMs)
  expect(removals.slice(1)).toEqual([
    { afterMs: minuteMs + 6 * hourMs, olderThanMs: 40 * dayMs },
    { afterMs: minuteMs + 12 * hourMs, olderThanMs: 40 * dayMs },
  ])
  // Nothing was there to remove, so there is nothing to say.
  expect(log).toEqual([])
})

test('how many went has its line', async () => {
  const { clock, log, retention } = given(async () => 7)
  retention.start()
  await clock.advance(minuteMs)
  expect(log).toEqual([['info', 'Old rows of the ledger were removed', { rows: 7, retentionDays: 40 }]])
})

test('a failure has its line, and is tried again six hours later', async () => {
  let tries = 0
  const { clock, log, retention } = given(async () => {
    tries += 1
    if (tries === 1) throw new StoreError('the disk is gone')
    return 7
  })
  retention.start()
  await clock.advance(minuteMs)
  expect(log).toEqual([['warn', 'Old rows of the ledger could not be removed', { problem: 'the disk is gone' }]])
  await clock.advance(6 * hourMs)
  expect(log.slice(1).map(([level, message]) => `${level} ${message}`)).toEqual([
    'info Old rows of the ledger were removed',
  ])
})

test.each([0, minuteMs, minuteMs + 6 * hourMs])('once it is stopped after %i ms, nothing more goes', async (ms) => {
  const { clock, removals, retention } = given()
  retention.start()
  await clock.advance(ms)
  const before = removals.length
  retention.stop()
  expect(clock.pendingTimers).toBe(0)
  await clock.advance(2 * dayMs)
  expect(removals).toHaveLength(before)
})

test('a gateway removes what is older than usage.retentionDays, and nothing else', async () => {
  using folder = scratchFolder()
  const clock = new FakeClock()
  const startedAtMs = clock.wallMs() - 40 * dayMs
  const old = settledRow('old', 1, { admitted: { startedAtMs, model: 'old' } })
  const kept = settledRow('kept', 1, { admitted: { startedAtMs: startedAtMs + 2 * minuteMs, model: 'kept' } })
  const before = await openStore({ path: folder.storePath, role: 'gateway' })
  await before.ledger.write([old, kept])
  await before.close()

  const log: string[] = []
  const config = {
    hosts: [{ name: 'nobody', url: 'http://127.0.0.1:1' }],
    server: { port: 0 },
    admin: { port: 0 },
    storage: { path: folder.storePath },
    usage: { retentionDays: 40 },
  }
  const gateway = createGateway(configOf(config), {
    version: '0.0.0-test',
    clock,
    log: (_level, message) => void log.push(message),
  })
  await gateway.start()
  try {
    await clock.advance(minuteMs)
    await eventually(20_000, 'the line of the removal', () => log.includes('Old rows of the ledger were removed'))
  } finally {
    await gateway.stop({ now: true })
  }
  const after = await openStore({ path: folder.storePath, role: 'cli' })
  const sums = await after.ledger.usage(usageQuery({ by: ['model'] }))
  await after.close()
  expect(sums.map(({ group, requests }) => [group.model, requests])).toEqual([['kept', 1]])
}, 30_000)
