/** The commands about keys: the same on the store of this machine and through the admin API of another. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { digestOf } from '../../src/access/api-key.ts'
import type { KeyRecord } from '../../src/access/key-record.ts'
import { openStore } from '../../src/stores/open-store.ts'
import { startAdmin } from '../kit/admin-under-test.ts'
import { cli, StoreFolder } from '../kit/cli-run.ts'

afterEach(() => void vi.unstubAllEnvs())

/** Where keys are, with the flags that say so, and a look at them from the other side. */
interface Place extends AsyncDisposable {
  readonly flags: readonly string[]
  records(): Promise<readonly KeyRecord[]>
}

async function here(): Promise<Place> {
  const folder = await StoreFolder.make()
  return {
    flags: folder.flags,
    async records() {
      const store = await openStore({ path: folder.storePath, role: 'cli' })
      const records = await store.keys.list()
      await store.close()
      return records
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  }
}

async function elsewhere(): Promise<Place> {
  const admin = await startAdmin()
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', admin.token)
  return {
    flags: ['--admin-url', admin.url],
    records: () => admin.keys.list(),
    [Symbol.asyncDispose]: () => admin[Symbol.asyncDispose](),
  }
}

describe.each([
  ['on this machine', here],
  ['through the admin API', elsewhere],
])('keys %s', (where, place) => {
  test('created, they are good as they were shown; the first one says what it changes', async () => {
    await using keys = await place()
    const flags = ['--name', 'alice', '--team', 'red', '--rpm', '60', '--models', 'a,b*', '--tag', 'k=v', '--json']
    const made = await cli(['keys', 'create', ...flags, ...keys.flags])
    expect(made.code).toBe(0)
    expect(made.err).toMatch(/^This was the first key: from now on nobody is served without one.*\n.*--allow-anonymous/)
    const shown = JSON.parse(made.out) as { key: string; id: string }
    expect(shown).toMatchObject({ name: 'alice', team: 'red', limits: { requestsPerMinute: 60 }, tags: { k: 'v' } })
    const [record] = await keys.records()
    expect(record).toMatchObject({ id: shown.id, name: 'alice', models: ['a', 'b*'] })
    expect(record?.secrets).toEqual([{ digest: digestOf(shown.key), expiresAtMs: null }])

    const second = await cli(['keys', 'create', '--name', 'b', '--rpm', 'none', ...keys.flags])
    expect(second.code).toBe(0)
    // Alone on stdout, for key=$(…); what a script may log has it nowhere.
    expect(second.out).toMatch(/^lmx_live_\w+$/)
    expect(second.err).not.toContain(second.out)
    expect(second.err).not.toContain('first key')
    const third = await cli(['keys', 'create', '--name', 'c', ...keys.flags], true)
    // The admin API does not tell where clients are served.
    expect(third.err).toContain(
      where.startsWith('on')
        ? `curl http://127.0.0.1:4000/v1/models -H "authorization: Bearer ${third.out}"`
        : "GET /v1/models at the gateway's address for clients",
    )
    expect(third.err.includes('127.0.0.1:4000')).toBe(where.startsWith('on'))
  })

  test('listed and shown, without anything by which they could be used', async () => {
    await using keys = await place()
    const none = await cli(['keys', 'list', ...keys.flags])
    expect(none.out).toMatch(/^There are no keys yet in /)
    const made = await cli(['keys', 'create', '--name', 'alice', ...keys.flags])
    await cli(['keys', 'create', '--name', 'bob', ...keys.flags])
    await cli(['keys', 'revoke', 'bob', ...keys.flags])
    const live = await cli(['keys', 'list', '--json', ...keys.flags])
    const all = await cli(['keys', 'list', '--json', '--all', ...keys.flags])
    const names = (text: string) => (JSON.parse(text) as { keys: { name: string }[] }).keys.map(({ name }) => name)
    expect([names(live.out), names(all.out)]).toEqual([['alice'], ['alice', 'bob']])
    const shown = await cli(['keys', 'show', 'alice', '--json', ...keys.flags])
    expect(JSON.parse(shown.out)).toMatchObject({ name: 'alice', state: 'live', secrets: [{ expiresAt: null }] })
    for (const { out } of [live, all, shown, await cli(['keys', 'show', 'alice', ...keys.flags])]) {
      expect(out).not.toContain(made.out)
      expect(out).not.toContain(digestOf(made.out))
    }
  })

  test('changed: what is named, and no more', async () => {
    await using keys = await place()
    await cli(['keys', 'create', '--name', 'alice', '--rpm', '60', '--tpm', '1000', '--models', 'a', ...keys.flags])
    const changed = await cli([
      'keys',
      'change',
      'alice',
      '--rpm',
      'none',
      '--weight',
      '2',
      '--name',
      'al',
      ...keys.flags,
    ])
    expect(changed).toMatchObject({ code: 0, err: '' })
    expect(changed.out).toMatch(/^name +al$/m)
    const [record] = await keys.records()
    expect(record).toMatchObject({ name: 'al', weight: 2, models: ['a'], limits: { tokensPerMinute: 1000 } })
    expect(record?.limits).not.toHaveProperty('requestsPerMinute')
    const all = await cli(['keys', 'change', 'al', '--models', 'all', '--json', ...keys.flags])
    expect(JSON.parse(all.out)).toMatchObject({ models: null })
  })

  test.each<[string[], number | null]>([
    [[], 86_400_000],
    [['--grace', '90m'], 5_400_000],
    [['--grace', '0'], null],
  ])('rotated with %j: a new secret, and the old one for a while', async (grace, graceMs) => {
    await using keys = await place()
    const old = await cli(['keys', 'create', '--name', 'alice', ...keys.flags])
    const beforeMs = Date.now()
    const fresh = await cli(['keys', 'rotate', 'alice', ...grace, ...keys.flags])
    const afterMs = Date.now()
    expect(fresh.code).toBe(0)
    expect(fresh.err.includes('The old one is good until ')).toBe(graceMs !== null)
    const [record] = await keys.records()
    const [newest, ending] = record?.secrets ?? []
    expect(newest).toEqual({ digest: digestOf(fresh.out), expiresAtMs: null })
    if (graceMs === null) return expect(ending).toBeUndefined()
    expect(ending?.digest).toBe(digestOf(old.out))
    expect(ending?.expiresAtMs).toBeGreaterThanOrEqual(beforeMs + graceMs)
    expect(ending?.expiresAtMs).toBeLessThanOrEqual(afterMs + graceMs)
  })

  test.each<[string[], boolean]>([
    [[], false],
    [['--end-streams'], true],
  ])('revoked with %j: no secret is left', async (flags, endsStreams) => {
    await using keys = await place()
    await cli(['keys', 'create', '--name', 'alice', ...keys.flags])
    const revoked = await cli(['keys', 'revoke', 'alice', ...flags, ...keys.flags])
    expect(revoked).toMatchObject({ code: 0, err: '' })
    expect(revoked.out).toMatch(endsStreams ? /ends now\.$/ : /may finish\.$/)
    const [record] = await keys.records()
    expect(record).toMatchObject({ secrets: [], endsStreams })
    expect(record?.revokedAtMs).toBeGreaterThan(0)
    const none = await cli(['keys', 'list', ...keys.flags])
    expect(none.out).toBe('No key is live; --all lists 1 that were.')
  })

  test('a name with anything in it that prints is found by it', async () => {
    await using keys = await place()
    const name = `Jürgen's /laptop? 50 % #1 .`
    await cli(['keys', 'create', '--name', name, ...keys.flags])
    expect((await cli(['keys', 'change', name, '--rpm', '5', ...keys.flags])).code).toBe(0)
    expect((await cli(['keys', 'rotate', name, ...keys.flags])).code).toBe(0)
    expect((await cli(['keys', 'revoke', name, ...keys.flags])).code).toBe(0)
    // One that was revoked is still found, as long as there is no other of its name.
    const shown = await cli(['keys', 'show', name, '--json', ...keys.flags])
    expect(JSON.parse(shown.out)).toMatchObject({ name, state: 'revoked', limits: { requestsPerMinute: 5 } })
  })

  test('what is wrong is one sentence, and nothing is changed', async () => {
    await using keys = await place()
    await cli(['keys', 'create', '--name', 'alice', ...keys.flags])
    const before = await keys.records()
    const wrong: [string[], RegExp][] = [
      [['create'], /^--name is missing/],
      [['create', '--name', 'alice'], /"alice" is taken/],
      [['create', '--name', 'a\u001b[2Jb'], /^--name: must have printable characters only/],
      [['create', '--name', 'x', '--team', 'redd'], /there is no team "redd"|There is no team "redd"/i],
      [['create', '--name', 'x', '--class', 'bulkk'], /^--class: .*did you mean "bulk"/],
      [['create', '--name', 'x', '--rpm', 'many'], /^--rpm: /],
      [['create', '--name', 'x', '--expires', 'soon'], /^--expires: must be a date with time and zone/],
      [['create', '--name', 'x', '--expires', '2020-01-01T00:00:00Z'], /^--expires must be in the future/],
      [['create', '--name', 'x', '--models', 'a*b'], /^--models\S*: .*last character/],
      [['show', 'alcie'], /^there is no key "alcie"; did you mean "alice"\?$/],
      [['show', 'zzzzzzzz'], /no key "zzzzzzzz"/],
      [['show', '..'], /no key "\.\."/],
      [['show', 'a/b?c#d'], /no key "a\/b\?c#d"/],
      [['change', 'alice'], /^nothing to change/],
      [['change', 'bob', '--rpm', '1'], /no key "bob"/],
      [['rotate', 'alice', '--grace', 'long'], /^--grace: must be a time such as/],
      [['revoke', 'bob'], /no key "bob"/],
    ]
    for (const [args, sentence] of wrong) {
      const { code, out, err } = await cli(['keys', ...args, ...keys.flags])
      expect({ code, out }, args.join(' ')).toEqual({ code: 1, out: '' })
      expect(err.replace(/^lmx-gateway: /, ''), args.join(' ')).toMatch(sentence)
      expect(err.split('\n'), args.join(' ')).toHaveLength(1)
    }
    expect(await keys.records()).toEqual(before)
  })
})

test('beside a gateway each change says when it holds, and what only looks says nothing', async () => {
  await using folder = await StoreFolder.make()
  const followed = 'A gateway that runs follows within a second.'
  const run = async (...args: string[]) => (await cli(['keys', ...args, ...folder.flags])).err.split('\n')
  expect(await run('create', '--name', 'alone')).not.toContain(followed)
  const gateway = await openStore({ path: folder.storePath, role: 'gateway' })
  const changes = [
    ['create', '--name', 'alice', '--json'],
    ['change', 'alice', '--rpm', '1'],
    ['rotate', 'alice'],
    ['revoke', 'alice', '--json'],
  ]
  for (const args of changes) expect((await run(...args)).filter((line) => line === followed)).toHaveLength(1)
  expect(await run('list')).toEqual([''])
  // Having looked, the command has left the lock to the gateway.
  await expect(openStore({ path: folder.storePath, role: 'gateway' })).rejects.toThrow('Another gateway is running')
  await gateway.close()
  expect(await run('revoke', 'alone')).toEqual([''])
})
