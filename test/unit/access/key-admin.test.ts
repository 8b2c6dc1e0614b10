import { expect, test } from 'vitest'
import { newKey, parseKey } from '../../../src/access/api-key.ts'
import { KeyAdmin } from '../../../src/access/key-admin.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'
import { KeyRing } from '../../../src/access/key-ring.ts'
import { keyViewSchema } from '../../../src/access/key-schema.ts'
import { keyView } from '../../../src/access/key-view.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { MemoryKeys } from '../../kit/memory-keys.ts'

const actor = 'cli ada'
const dayMs = 86_400_000

function access() {
  const clock = new FakeClock()
  const store = new MemoryKeys()
  const ring = new KeyRing({ keys: [], keysEverCreated: false }, { clock, allowAnonymous: false, onRevoked: () => {} })
  const onChange = (record: KeyRecord) => ring.apply({ keys: [record], keysEverCreated: true })
  const admin = new KeyAdmin(store, { clock, teams: ['research', 'sales'], onChange })
  return { clock, store, ring, admin }
}

test('a key that is created is stored without its secret, opens at once, and ends anonymity', async () => {
  const { admin, store, ring, clock } = access()
  const input = {
    name: 'Ada',
    team: 'research',
    limits: { tokensPerMinute: 1_000 },
    tags: { a: 'b' },
    expiresAt: '30d',
  }
  const { record, key } = await admin.create(input, actor)
  expect(record).toMatchObject({
    id: parseKey(key.reveal())?.id,
    name: 'Ada',
    team: 'research',
    models: null,
    class: 'default',
    weight: 1,
    limits: { tokensPerMinute: 1_000 },
    createdAtMs: clock.wallMs(),
    expiresAtMs: clock.wallMs() + 30 * dayMs,
    revision: 1,
  })
  expect(await admin.list()).toEqual([record])
  expect(JSON.stringify([...store.records])).not.toContain(key.reveal().slice(18))
  expect(ring.resolve(key.reveal())).toBe(record)
  expect(ring.anonymous).toBe(false)
  expect(store.trail).toEqual([
    {
      atMs: clock.wallMs(),
      actor,
      action: 'key.create',
      keyId: record.id,
      keyName: 'Ada',
      detail: {
        name: 'Ada',
        team: 'research',
        class: 'default',
        weight: 1,
        'limits.tokensPerMinute': 1_000,
        expiresAt: '2026-01-31T00:00:00.000Z',
        tags: 1,
      },
    },
  ])
})

test('a key is found by id, by name, and by itself; a name goes to the key that is not revoked', async () => {
  const { admin } = access()
  const first = await admin.create({ name: 'Ada' }, actor)
  expect(await admin.find(first.record.id)).toEqual(first.record)
  expect(await admin.find('Ada')).toEqual(first.record)
  expect(await admin.find(first.key.reveal())).toEqual(first.record)
  await admin.revoke('Ada', {}, actor)
  const second = await admin.create({ name: 'Ada' }, actor)
  expect(await admin.find('Ada')).toEqual(second.record)
})

test.each(['nobody', newKey().key.reveal(), '\u{1b}[2J'])(
  'what is not there is not found, and not repeated as it came (%#)',
  async (what) => {
    const { admin } = access()
    const refusal: Promise<unknown> = admin.find(what)
    await expect(refusal).rejects.toMatchObject({ code: 'not_found' })
    const message = await refusal.catch(String)
    expect(message).not.toContain('lmx_live_')
    expect(message).not.toContain('\u{1b}')
  },
)

test('a taken name and an unknown team are refused, with what is known', async () => {
  const { admin, store } = access()
  await admin.create({ name: 'Ada' }, actor)
  const { record } = await admin.create({ name: 'Bob' }, actor)
  await expect(admin.create({ name: 'Ada' }, actor)).rejects.toMatchObject({
    code: 'conflict',
    detail: { param: 'name' },
  })
  await expect(admin.change('Bob', { name: 'Ada' }, actor)).rejects.toMatchObject({ code: 'conflict' })
  await expect(admin.create({ name: record.id }, actor)).rejects.toMatchObject({ code: 'conflict' })
  await expect(admin.change('Ada', { name: record.id }, actor)).rejects.toMatchObject({ code: 'conflict' })
  await expect(admin.create({ name: 'Cy', team: 'resaerch' }, actor)).rejects.toMatchObject({
    code: 'invalid_request',
    message: 'There is no team "resaerch": the configuration has research, sales.',
    detail: { param: 'team' },
  })
  await expect(admin.change('Ada', { team: 'x' }, actor)).rejects.toMatchObject({ detail: { param: 'team' } })
  expect(store.trail).toHaveLength(2)
})

test('a change leaves what it does not name, removes a limit by null, and is told without values of lists and tags', async () => {
  const { admin, store, ring } = access()
  const limits = { tokensPerMinute: 10, requestsPerDay: 5 }
  const { key } = await admin.create({ name: 'Ada', team: 'sales', limits, tags: { a: 'secret of ours' } }, actor)
  const change = {
    models: ['m*'],
    limits: { tokensPerMinute: null, tokensPerDay: 7 },
    tags: { b: 'another' },
    team: null,
  }
  const record = await admin.change('Ada', change, actor)
  expect(record).toMatchObject({
    name: 'Ada',
    team: null,
    models: ['m*'],
    limits: { requestsPerDay: 5, tokensPerDay: 7 },
    tags: { b: 'another' },
    revision: 2,
  })
  expect(record.limits).not.toHaveProperty('tokensPerMinute')
  expect(ring.resolve(key.reveal())).toBe(record)
  expect(store.trail.at(-1)?.detail).toEqual({
    team: null,
    models: 1,
    'limits.tokensPerMinute': null,
    'limits.tokensPerDay': 7,
    tags: 1,
  })
  expect(await admin.change('Ada', change, actor)).toBe(record)
  expect(store.trail).toHaveLength(2)
})

test('an end is set, moved and taken away', async () => {
  const { admin, clock } = access()
  await admin.create({ name: 'Ada' }, actor)
  expect(await admin.change('Ada', { expiresAt: '1h' }, actor)).toMatchObject({
    expiresAtMs: clock.wallMs() + 3_600_000,
  })
  expect(await admin.change('Ada', { weight: 2 }, actor)).toMatchObject({ expiresAtMs: clock.wallMs() + 3_600_000 })
  expect(await admin.change('Ada', { expiresAt: null }, actor)).toMatchObject({ expiresAtMs: null })
})

test('a rotated key has two secrets for the grace time, and never more', async () => {
  const { admin, ring, clock } = access()
  const first = (await admin.create({ name: 'Ada' }, actor)).key.reveal()
  const second = (await admin.rotate('Ada', actor)).key.reveal()
  const open = (...texts: string[]) => texts.map((text) => ring.resolve(text) !== null)
  expect(parseKey(second)).toEqual(parseKey(first))
  expect(open(first, second)).toEqual([true, true])
  const third = (await admin.rotate('Ada', actor, 1_000)).key.reveal()
  expect(open(first, second, third)).toEqual([false, true, true])
  clock.advanceSync(1_000)
  expect(open(first, second, third)).toEqual([false, false, true])
  const fourth = await admin.rotate('Ada', actor, 0)
  expect(open(third, fourth.key.reveal())).toEqual([false, true])
  expect(fourth.record.secrets).toHaveLength(1)
})

test('by default the old secret holds for a day', async () => {
  const { admin, ring, clock, store } = access()
  const first = (await admin.create({ name: 'Ada' }, actor)).key.reveal()
  await admin.rotate('Ada', actor)
  clock.advanceSync(dayMs - 1)
  expect(ring.resolve(first)).not.toBeNull()
  clock.advanceSync(1)
  expect(ring.resolve(first)).toBeNull()
  expect(store.trail.at(-1)).toMatchObject({ action: 'key.rotate', detail: { graceMs: dayMs } })
})

test.each([-1, 0.5, Number.NaN, 366 * dayMs])('a grace time of %s ms is refused', async (graceMs) => {
  const { admin } = access()
  await admin.create({ name: 'Ada' }, actor)
  await expect(admin.rotate('Ada', actor, graceMs)).rejects.toMatchObject({ detail: { param: 'graceMs' } })
})

test('a revoked key opens nothing, has no secrets left, and stays so', async () => {
  const { admin, ring, store, clock } = access()
  const first = (await admin.create({ name: 'Ada' }, actor)).key.reveal()
  const { record, key } = await admin.rotate('Ada', actor)
  const revoked = await admin.revoke(record.id, {}, actor)
  expect(revoked).toMatchObject({ revokedAtMs: clock.wallMs(), endsStreams: false, secrets: [] })
  expect([first, key.reveal()].map((text) => ring.resolve(text))).toEqual([null, null])
  expect(ring.anonymous).toBe(false)
  for (const again of [
    admin.revoke(record.id, {}, actor),
    admin.change(record.id, { weight: 2 }, actor),
    admin.rotate(record.id, actor),
  ])
    await expect(again).rejects.toMatchObject({ code: 'conflict' })
  clock.advanceSync(5)
  const ending = await admin.revoke(record.id, { endStreams: true }, actor)
  expect(ending).toMatchObject({ revokedAtMs: revoked.revokedAtMs, endsStreams: true })
  await expect(admin.revoke(record.id, { endStreams: true }, actor)).rejects.toMatchObject({ code: 'conflict' })
  expect(store.trail.map(({ action }) => action)).toEqual(['key.create', 'key.rotate', 'key.revoke', 'key.revoke'])
})

test('changes that cross both hold; a secret is never one that was not stored', async () => {
  const { admin, store, ring } = access()
  await admin.create({ name: 'Ada' }, actor)
  const [, , rotated] = await Promise.all([
    admin.change('Ada', { name: 'Ada L.' }, actor),
    admin.change('Ada', { weight: 2 }, actor),
    admin.rotate('Ada', actor, 0),
  ])
  expect(await admin.find('Ada L.')).toMatchObject({ name: 'Ada L.', weight: 2, revision: 4 })
  expect(ring.resolve(rotated.key.reveal())).toMatchObject({ revision: 4 })
  expect(store.trail).toHaveLength(4)
})

test('a change goes to the key that was named when it was asked for, although its name is another one by then', async () => {
  const { admin, store } = access()
  const { record } = await admin.create({ name: 'Ada' }, actor)
  const replace = store.replace.bind(store)
  store.replace = async (...change) => {
    store.replace = replace
    await admin.change('Ada', { name: 'Ada L.' }, actor)
    await admin.create({ name: 'Ada' }, actor)
    return replace(...change)
  }
  expect(await admin.change('Ada', { weight: 2 }, actor)).toMatchObject({ id: record.id, name: 'Ada L.', weight: 2 })
  expect(await admin.find('Ada')).toMatchObject({ weight: 1 })
})

test('a key that others never stop changing is given up, with a word', async () => {
  const { admin, store } = access()
  await admin.create({ name: 'Ada' }, actor)
  let tries = 0
  store.replace = async () => {
    tries++
    return false
  }
  await expect(admin.change('Ada', { weight: 2 }, actor)).rejects.toMatchObject({ code: 'conflict' })
  expect(tries).toBeGreaterThan(1)
  expect(tries).toBeLessThan(20)
})

test('what is shown of a key is as its schema says, without digests, and knows its state', async () => {
  const { admin, clock } = access()
  await admin.create(
    { name: 'Ada', limits: { tokensPerDay: 5 }, tags: { a: 'b' }, models: ['m'], expiresAt: '2d' },
    actor,
  )
  const { record } = await admin.rotate('Ada', actor, dayMs)
  const digests = record.secrets.map(({ digest }) => digest)
  const shown = (key: KeyRecord) => {
    const view = keyView(key, clock.wallMs())
    expect(keyViewSchema.parse(JSON.parse(JSON.stringify(view)))).toEqual(view)
    for (const digest of digests) expect(JSON.stringify(view)).not.toContain(digest)
    return view
  }
  expect(shown(record)).toMatchObject({
    name: 'Ada',
    state: 'live',
    limits: { tokensPerDay: 5 },
    createdAt: '2026-01-01T00:00:00.000Z',
    expiresAt: '2026-01-03T00:00:00.000Z',
    revokedAt: null,
    secrets: [{ expiresAt: null }, { expiresAt: '2026-01-02T00:00:00.000Z' }],
  })
  clock.advanceSync(dayMs)
  expect(shown(record).secrets).toEqual([{ expiresAt: null }])
  clock.advanceSync(dayMs)
  expect(shown(record).state).toBe('expired')
  expect(shown(await admin.revoke('Ada', {}, actor))).toMatchObject({ state: 'revoked', secrets: [] })
})
