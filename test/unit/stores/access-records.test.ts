import { describe, expect, test, vi } from 'vitest'
import { Access } from '../../../src/access/access.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import type { Secret } from '../../../src/access/secret.ts'
import { StoreError } from '../../../src/base/store-error.ts'
import { noMetrics } from '../../../src/observe/metrics.ts'
import { AccessRecords } from '../../../src/stores/access-records.ts'
import { LateStore } from '../../../src/stores/late-store.ts'
import type { StoreEvents } from '../../../src/stores/store.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { auditEntry, keyRecord, settledRow } from '../../kit/stored-rows.ts'

const key = keyRecord('ci')

function given(broken: { keys?: boolean; ledger?: boolean } = {}) {
  const clock = new FakeClock()
  const access = new Access({
    clock,
    limits: limitsOptions.parse({ default: { requestsPerMinute: 20, requestsPerDay: 3 } }),
    teams: {},
    allowAnonymous: true,
    events: noMetrics,
    chance: () => 0,
    waitingMax: 1,
    mayWait: () => true,
    hasRoom: () => true,
    onRevoked: () => {},
  })
  const store = new LateStore({ path: ':memory:', role: 'gateway', clock })
  const log: string[] = []
  const tokens: Secret[] = []
  const seen: StoreEvents[] = []
  const fails = async (): Promise<never> => {
    throw new StoreError('the disk is gone')
  }
  const records = new AccessRecords({
    store: {
      open: () => store.open(),
      watch: (events) => {
        seen.push(events)
        store.watch(events)
      },
      keys: broken.keys === true ? { ...store.keys, setAdminTokenDigest: fails } : store.keys,
      ledger: broken.ledger === true ? { ...store.ledger, totals: fails } : store.ledger,
    },
    access,
    clock,
    log: (level, message, { keyName } = {}) => void log.push([level, message, keyName ?? []].flat().join(' ')),
    onAdminToken: (token) => void tokens.push(token),
  })
  return { store, records, access, clock, log, tokens, seen }
}

test('what the command line changes while the gateway runs has its line in the log, once', async () => {
  const { store, records, log } = given()
  await records.open()
  await records.begin()
  log.length = 0
  const create = (name: string, actor: string) =>
    store.keys.insert(keyRecord(name), auditEntry('key.create', { actor, keyName: name }))
  await create('one', 'cli root')
  await create('two', 'admin-api 127.0.0.1')
  await create('three', 'cli root')
  await vi.waitFor(() => expect(log).toContain('info admin change three'), { timeout: 10_000 })
  expect(log).toEqual(['info admin change one', 'info admin change three'])
})

test('that changes of keys cannot be seen is a problem for as long as it lasts, in words that name no file', async () => {
  const { records, log, seen } = given()
  await records.open()
  await records.begin()
  log.length = 0
  seen[0]?.unreadable('/var/keys.db was moved')
  expect(records.problem).toBe('changes of keys cannot be seen')
  seen[0]?.unreadable(null)
  expect(records.problem).toBeNull()
  expect(log).toEqual([
    'error Changes of keys cannot be seen: those that are known go on holding',
    'warn Changes of keys are seen again',
  ])
})

describe('a start', () => {
  test('makes the admin token that is not there yet, and tells it once', async () => {
    const { records, tokens, log } = given()
    await records.open()
    expect(records.adminTokenDigest).toBeNull()
    await records.begin()
    expect(tokens).toHaveLength(1)
    expect(records.adminTokenDigest).toMatch(/^[\da-f]{64}$/)
    expect(log).toEqual(['info admin change'])
    await records.begin()
    expect(tokens).toHaveLength(1)
  })

  test('goes on without an admin token where none can be kept, and says so', async () => {
    const { records, tokens, log } = given({ keys: true })
    await records.open()
    await records.begin()
    expect(tokens).toEqual([])
    expect(records.adminTokenDigest).toBeNull()
    expect(log).toEqual(['error There is no admin token: the admin API answers nobody'])
  })

  test.each([false, true])(
    'takes over what was used today and in the last minute from the ledger; where it cannot be read (%s), limits begin anew',
    async (isBroken) => {
      const { store, records, access, clock, log } = given({ ledger: isBroken })
      await records.open()
      const admitted = { keyId: key.id, team: null, startedAtMs: clock.wallMs() }
      await store.ledger.write([settledRow('r1', 1, { admitted }), settledRow('r2', 1, { admitted })])
      access.apply({ keys: [key], keysEverCreated: true })
      await records.restoreLimits()
      const left = access.limiter.left({ keyId: key.id, name: key.name, team: null, limits: key.limits })
      expect(Object.fromEntries(left.map(({ limit, remaining }) => [limit, remaining]))).toEqual({
        requestsPerMinute: isBroken ? 10 : 8,
        requestsPerDay: isBroken ? 3 : 1,
      })
      expect(log.includes('error What was used before is not known: limits begin anew')).toBe(isBroken)
    },
  )
})

test('what somebody does to the lock is told as an error', async () => {
  const { store, records, log } = given()
  const told: StoreEvents[] = []
  store.watch = (events) => void told.push(events)
  await records.open()
  await records.begin()
  log.length = 0
  for (const events of told) events.alarm('the lock is gone')
  expect(log).toEqual(['error the lock is gone'])
})
