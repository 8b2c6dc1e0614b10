/** What every store must do, wherever it keeps things. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyNameTaken } from '../../src/access/key-store.ts'
import { type AdmittedRequest, TooManyUsageRows } from '../../src/metering/ledger-store.ts'
import type { AccessChange, Store } from '../../src/stores/store.ts'
import {
  admittedRequest,
  auditEntry,
  figuresSoFar,
  keyRecord,
  settledRequest,
  settledRow,
  storedAtMs,
  usageQuery,
} from '../kit/stored-rows.ts'

export interface OpenedStore extends AsyncDisposable {
  readonly store: Store
}

export function storeContract(name: string, open: () => Promise<OpenedStore>): void {
  describe(name, () => {
    let opened: OpenedStore
    let store: Store
    beforeEach(async () => {
      opened = await open()
      store = opened.store
    })
    afterEach(() => opened[Symbol.asyncDispose]())

    describe('keys', () => keysContract(() => store))
    describe('ledger', () => ledgerContract(() => store))
    describe('usage', () => usageContract(() => store))
  })
}

const created = auditEntry('key.create', { keyId: 'ci000000', keyName: 'ci' })

function keysContract(store: () => Store): void {
  it('begins with nothing', async () => {
    expect(store().state).toEqual({ keys: [], keysEverCreated: false, adminTokenDigest: null })
    expect(await store().keys.list()).toEqual([])
    expect(await store().keys.audit(10)).toEqual([])
    expect(store().notes).toEqual([])
  })

  it('gives a key back as it was put in', async () => {
    const key = keyRecord('ci', {
      team: 'a team',
      models: ['org/*', 'fast'],
      class: 'bulk',
      weight: 0.5,
      maxOutputTokens: 4_000,
      limits: { requestsPerMinute: 60, tokensPerDay: 1_000_000 },
      tags: { cost: 'über — 成本' },
      expiresAtMs: storedAtMs + 1,
    })
    await store().keys.insert(key, created)
    expect(await store().keys.list()).toEqual([key])
    expect(await store().keys.find('ci')).toEqual(key)
    expect(await store().keys.find(key.id)).toEqual(key)
    expect(await store().keys.find('cii')).toBeNull()
  })

  it('gives a name to one key at a time', async () => {
    const old = keyRecord('ci')
    const second = keyRecord('ci', { id: 'second00' })
    await store().keys.insert(old, created)
    await expect(store().keys.insert(second, created)).rejects.toBeInstanceOf(KeyNameTaken)
    const revoked = { ...old, revokedAtMs: storedAtMs + 5, secrets: [], revision: 2 }
    expect(await store().keys.replace(revoked, auditEntry('key.revoke'))).toBe(true)
    expect(await store().keys.find('ci')).toEqual(revoked)
    await store().keys.insert(second, created)
    expect(await store().keys.find('ci')).toEqual(second)
    expect(await store().keys.find(old.id)).toEqual(revoked)
    const other = keyRecord('other')
    await store().keys.insert(other, created)
    const renamed = { ...other, name: 'ci', revision: 2 }
    await expect(store().keys.replace(renamed, auditEntry('key.change'))).rejects.toBeInstanceOf(KeyNameTaken)
    expect(await store().keys.audit(100)).toHaveLength(4)
  })

  it('says of the first key that it is, and of no later one', async () => {
    expect(await store().keys.insert(keyRecord('ci'), created)).toBe(true)
    expect(await store().keys.insert(keyRecord('web'), created)).toBe(false)
  })

  it('finds the one revoked last where several of the name are', async () => {
    for (const [at, id] of ['first000', 'second00', 'third000'].entries()) {
      const revokedAtMs = storedAtMs + [10, 30, 20][at]!
      await store().keys.insert(keyRecord('ci', { id, revokedAtMs }), created)
    }
    expect((await store().keys.find('ci'))?.id).toBe('second00')
  })

  it('notices that two changes cross', async () => {
    const key = keyRecord('ci')
    await store().keys.insert(key, created)
    const change = auditEntry('key.change', { detail: { weight: 2, note: null, endsStreams: true } })
    expect(await store().keys.replace({ ...key, weight: 2, revision: 2 }, change)).toBe(true)
    expect(await store().keys.replace({ ...key, weight: 3, revision: 2 }, change)).toBe(false)
    expect((await store().keys.find('ci'))?.weight).toBe(2)
    expect(await store().keys.audit(10)).toEqual([change, created])
    expect(await store().keys.audit(1)).toEqual([change])
  })

  it('lists in the order of creation', async () => {
    for (const [name, createdAtMs] of [
      ['b', 2],
      ['c', 3],
      ['a', 1],
    ] as const)
      await store().keys.insert(keyRecord(name, { createdAtMs }), created)
    expect((await store().keys.list()).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
  })

  it('tells of each change before it is done', async () => {
    const changes: AccessChange[] = []
    store().watch({ changed: (change) => changes.push(change), unreadable: () => {}, alarm: () => {} })
    const key = keyRecord('ci')
    await store().keys.insert(key, created)
    expect(changes).toEqual([{ keys: [key], keysEverCreated: true, adminTokenDigest: null }])
    const changed = { ...key, weight: 2, revision: 2 }
    await store().keys.replace(changed, auditEntry('key.change'))
    expect(changes[1]?.keys).toEqual([changed])
    await store().keys.setAdminTokenDigest('cd'.repeat(32), auditEntry('admin-token.create'))
    expect(changes[2]).toEqual({ keys: [], keysEverCreated: true, adminTokenDigest: 'cd'.repeat(32) })
    await store().keys.setAdminTokenDigest('ef'.repeat(32), auditEntry('admin-token.rotate'))
    expect(changes).toHaveLength(4)
  })
}

const requestsOf = async (store: Store): Promise<number | undefined> =>
  (await store.ledger.usage(usageQuery()))[0]?.requests

function ledgerContract(store: () => Store): void {
  const total = async () => (await store().ledger.usage(usageQuery()))[0]

  it('keeps one row of a request, however often it is written', async () => {
    const row = settledRow('r1', 20, { settled: { costNanos: 5 } })
    await store().ledger.write([row, row])
    await store().ledger.write([row])
    expect(await total()).toEqual({
      group: {},
      requests: 1,
      failed: 0,
      unfinished: 0,
      input: 100,
      cachedInput: 10,
      output: 20,
      reasoning: 0,
      inputUnreported: 0,
      outputUnreported: 0,
      costNanos: 5,
    })
  })

  it('lets a later state win, and a settled row stay', async () => {
    const admitted = admittedRequest('r1')
    const write = (figures: number | null, settled: number | null) =>
      store().ledger.write([
        {
          admitted,
          figures: figures === null ? null : figuresSoFar(figures, { costNanos: figures * 2 }),
          settled: settled === null ? null : settledRequest(settled),
        },
      ])
    await write(null, null)
    expect(await total()).toMatchObject({ requests: 1, unfinished: 1, output: 0 })
    await write(7, null)
    expect(await total()).toMatchObject({ requests: 1, unfinished: 1, output: 7, costNanos: 14 })
    await write(null, null)
    expect(await total()).toMatchObject({ output: 7 })
    await write(null, 30)
    expect(await total()).toMatchObject({ requests: 1, unfinished: 0, output: 30 })
    await write(9, null)
    await write(null, 1_000)
    expect(await total()).toMatchObject({ requests: 1, unfinished: 0, output: 30 })
  })

  it('takes any figures, so that no row holds up another', async () => {
    await store().ledger.write([
      settledRow('r1', Number.NaN, { settled: { ttftMs: 0.4, durationMs: Infinity, costNanos: 1e300 } }),
      settledRow('r2', -5, { admitted: { model: 'm'.repeat(100_000), requestId: 'a\u{0}b\u{D800}' } }),
    ])
    expect(await total()).toMatchObject({ requests: 2, output: 0 })
  })

  it('says what was charged since a time', async () => {
    const at = (startedAtMs: number, keyId: string | null) => ({ admitted: { startedAtMs, keyId } })
    await store().ledger.write([
      settledRow('r1', 1, at(1_000, 'a')),
      settledRow('r2', 2, at(2_000, 'a')),
      settledRow('r3', 4, at(3_000, 'a')),
      settledRow('r4', 8, at(3_000, null)),
    ])
    const charge = { team: null, requests: 1, input: 100, cachedInput: 10 }
    const charges = await store().ledger.charges(2_000)
    expect(charges).toHaveLength(3)
    expect(charges[0]).toEqual({ ...charge, keyId: 'a', startedAtMs: 2_000, output: 2 })
    expect(charges).toContainEqual({ ...charge, keyId: 'a', startedAtMs: 3_000, output: 4 })
    expect(charges).toContainEqual({ ...charge, keyId: null, startedAtMs: 3_000, output: 8 })
    const { day, month } = await store().ledger.totals({ dayMs: 3_000, monthMs: 2_000 })
    expect(day).toHaveLength(2)
    expect(day).toContainEqual({ ...charge, keyId: 'a', startedAtMs: 3_000, output: 4 })
    expect(day).toContainEqual({ ...charge, keyId: null, startedAtMs: 3_000, output: 8 })
    expect(month).toHaveLength(2)
    expect(month).toContainEqual({
      keyId: 'a',
      team: null,
      startedAtMs: 2_000,
      requests: 2,
      input: 200,
      cachedInput: 20,
      output: 6,
    })
    expect(month).toContainEqual({ ...charge, keyId: null, startedAtMs: 3_000, output: 8 })
  })

  it('removes what is old and ended, and nothing else', async () => {
    const rows = Array.from({ length: 2_500 }, (_, at) =>
      settledRow(`old${at}`, 1, { admitted: { startedAtMs: 1_000 } }),
    )
    await store().ledger.write(rows)
    await store().ledger.write([
      { admitted: admittedRequest('open', { startedAtMs: 1_000 }), figures: null, settled: null },
      settledRow('new', 1, { admitted: { startedAtMs: 2_000 } }),
    ])
    expect(await store().ledger.prune(2_000)).toBe(2_500)
    expect(await requestsOf(store())).toBe(2)
    expect(await store().ledger.prune(2_000)).toBe(0)
  })

  it('sums nothing to one total of nothing, and to no groups', async () => {
    expect(await total()).toMatchObject({ requests: 0, output: 0, costNanos: 0 })
    expect(await store().ledger.usage(usageQuery({ by: ['key'] }))).toEqual([])
  })
}

function usageContract(store: () => Store): void {
  const usage = async (changes: Parameters<typeof usageQuery>[0]) =>
    (await store().ledger.usage(usageQuery(changes))).map(({ group, requests, output }) => ({
      ...group,
      requests,
      output,
    }))

  beforeEach(async () => {
    const row = (id: string, output: number, admitted: Partial<AdmittedRequest>, host: string | null) =>
      settledRow(id, output, { admitted, settled: { host } })
    await store().ledger.write([
      row('r1', 1, { keyId: 'aaaaaaaa', keyName: 'ci', team: 'red', model: 'm1' }, 'studio'),
      row('r2', 2, { keyId: 'aaaaaaaa', keyName: 'ci', team: 'red', model: 'm2' }, 'studio'),
      row('r3', 4, { keyId: 'bbbbbbbb', keyName: 'web', team: null, model: 'm1' }, 'mini'),
      row('r4', 8, { keyId: null, keyName: 'anonymous', team: null, model: 'm1' }, null),
    ])
  })

  it('keeps keys of one name apart, and a key that was renamed together under its last name', async () => {
    const row = (id: string, startedAtMs: number, keyId: string, keyName: string) =>
      settledRow(id, 1, { admitted: { keyId, keyName, startedAtMs, model: id } })
    const later = storedAtMs + 86_400_000
    await store().ledger.write([
      row('r5', storedAtMs, 'cccccccc', 'web'),
      row('r6', later, 'cccccccc', 'web two'),
      row('r7', storedAtMs + 1, 'cccccccc', 'web'),
      row('r8', later, 'dddddddd', 'ci'),
    ])
    const sums = (await store().ledger.usage(usageQuery({ by: ['key'] }))).map(({ group, keyId, requests }) => [
      group.key,
      keyId,
      requests,
    ])
    expect(sums).toEqual([
      ['anonymous', null, 1],
      ['ci', 'aaaaaaaa', 2],
      ['ci', 'dddddddd', 1],
      ['web', 'bbbbbbbb', 1],
      ['web two', 'cccccccc', 3],
    ])
    expect(await usage({ by: ['day', 'key'], key: 'cccccccc' })).toMatchObject([
      { day: '2026-03-01', key: 'web two', requests: 2 },
      { day: '2026-03-02', key: 'web two', requests: 1 },
    ])
  })

  it('refuses a report of more rows than are wanted', async () => {
    expect(await usage({ by: ['key'], rowsMax: 3 })).toHaveLength(3)
    await expect(usage({ by: ['key'], rowsMax: 2 })).rejects.toBeInstanceOf(TooManyUsageRows)
    expect(await usage({ by: ['key'], rowsMax: 3 })).toHaveLength(3)
  })

  it('groups by what is asked, in that order', async () => {
    expect(await usage({ by: ['key'] })).toEqual([
      { key: 'anonymous', requests: 1, output: 8 },
      { key: 'ci', requests: 2, output: 3 },
      { key: 'web', requests: 1, output: 4 },
    ])
    expect(await usage({ by: ['team'] })).toEqual([
      { team: null, requests: 2, output: 12 },
      { team: 'red', requests: 2, output: 3 },
    ])
    expect(await usage({ by: ['model', 'host'] })).toEqual([
      { model: 'm1', host: null, requests: 1, output: 8 },
      { model: 'm1', host: 'mini', requests: 1, output: 4 },
      { model: 'm1', host: 'studio', requests: 1, output: 1 },
      { model: 'm2', host: 'studio', requests: 1, output: 2 },
    ])
    expect(await usage({})).toEqual([{ requests: 4, output: 15 }])
  })

  it.each([
    [{ key: 'ci' }, 3],
    [{ key: 'aaaaaaaa' }, 3],
    [{ team: 'red' }, 3],
    [{ model: 'm1' }, 13],
    [{ host: 'mini' }, 4],
    [{ key: 'ci', model: 'm2' }, 2],
    [{ fromMs: storedAtMs, toMs: storedAtMs + 1 }, 15],
    [{ fromMs: storedAtMs + 1 }, 0],
    [{ toMs: storedAtMs }, 0],
  ])('filters by %j', async (filter, output) => {
    expect(await usage(filter)).toMatchObject([{ output }])
  })

  it('tells failed and unfinished requests, and counts that no host reported', async () => {
    await store().ledger.write([
      settledRow('r5', 16, { settled: { end: 'CD', status: 499, outputSource: 'counted' } }),
      settledRow('r6', 0, { settled: { end: 'UC', status: 502, inputSource: 'estimated' } }),
      { admitted: admittedRequest('r7'), figures: null, settled: null },
    ])
    const [sum] = await store().ledger.usage(usageQuery())
    expect(sum).toMatchObject({ requests: 7, failed: 2, unfinished: 1, inputUnreported: 100, outputUnreported: 16 })
  })

  it('counts calendar days of a zone, those of 23 and 25 hours too', async () => {
    await store().ledger.prune(Number.MAX_SAFE_INTEGER)
    const times = [
      // In Berlin clocks go forward on 29 March 2026 and back on 25 October.
      '2026-03-28T22:59:59.999Z',
      '2026-03-28T23:00:00Z',
      '2026-03-29T21:59:59.999Z',
      '2026-03-29T22:00:00Z',
      '2026-10-24T21:59:59.999Z',
      '2026-10-24T22:00:00Z',
      '2026-10-25T22:59:59.999Z',
      '2026-10-25T23:00:00Z',
    ]
    await store().ledger.write(
      times.map((time, at) => settledRow(`t${at}`, 1, { admitted: { startedAtMs: Date.parse(time) } })),
    )
    const days = async (timeZone: string) =>
      (await store().ledger.usage(usageQuery({ by: ['day'], timeZone }))).map(({ group: { day }, requests }) => [
        day,
        requests,
      ])
    expect(await days('Europe/Berlin')).toEqual([
      ['2026-03-28', 1],
      ['2026-03-29', 2],
      ['2026-03-30', 1],
      ['2026-10-24', 1],
      ['2026-10-25', 2],
      ['2026-10-26', 1],
    ])
    expect(await days('Asia/Kathmandu')).toEqual([
      ['2026-03-29', 2],
      ['2026-03-30', 2],
      ['2026-10-25', 2],
      ['2026-10-26', 2],
    ])
  })
}
