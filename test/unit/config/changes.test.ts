/** What differs between two configurations, and what of it holds at once. */
import { expect, test } from 'vitest'
import { configChange, liveSettings, waitingSettings } from '../../../src/config/changes.ts'
import { type ConfigInput, configOf } from '../../kit/config-of.ts'

const now = configOf({
  hosts: [{ name: 'a', url: 'http://a:1' }],
  models: { aliases: { fast: 'x', far: 'y' } },
  teams: { ml: { requestsPerDay: 3 } },
  server: { tls: { cert: 'c', key: 'k' } },
})
const change = (input: ConfigInput) =>
  configChange(
    now,
    configOf({
      hosts: [{ name: 'a', url: 'http://a:1' }],
      models: { aliases: { fast: 'x', far: 'y' } },
      teams: { ml: { requestsPerDay: 3 } },
      ...input,
      server: { tls: { cert: 'c', key: 'k' }, ...input.server },
    }),
  )

test('the same differs in nothing', () => {
  expect(change({})).toMatchObject({ changed: [], waiting: [], inForce: now })
})

test('what holds at once is in force, what waits is as it was, and each is named by its place', () => {
  const { changed, waiting, inForce } = change({
    hosts: [{ name: 'a', url: 'http://a:1', slots: 3 }],
    models: { aliases: { fast: 'z', new: 'y' } },
    teams: {},
    queue: { order: 'first-come', lengthMax: 7 },
    server: { port: 1, drainMsMax: 5 },
  })
  expect(changed.toSorted()).toEqual([
    'hosts',
    'models.aliases.far',
    'models.aliases.fast',
    'models.aliases.new',
    'queue.lengthMax',
    'server.drainMsMax',
    'teams.ml',
  ])
  expect(waiting.toSorted()).toEqual(['queue.order', 'server.port'])
  expect(inForce.queue).toMatchObject({ order: now.queue.order, lengthMax: 7 })
  expect(inForce.server).toMatchObject({ port: now.server.port, drainMsMax: 5 })
  expect(inForce.models.aliases).toEqual({ fast: 'z', new: 'y' })
  expect(inForce.teams).toEqual({})
  expect(inForce.hosts).toMatchObject([{ slots: 3 }])
})

test('what was not there before, or is not there any more, waits as well', () => {
  const without = configChange(now, configOf({ ...now, hosts: [...now.hosts], server: {} }))
  expect(without.waiting).toEqual(['server.tls'])
  expect(without.inForce.server.tls).toEqual({ cert: 'c', key: 'k' })
  const token = 'a-token-for-the-scraper'
  const { waiting, inForce } = change({ admin: { metricsToken: token } })
  expect(waiting).toEqual(['admin.metricsToken'])
  expect('metricsToken' in inForce.admin).toBe(false)
  expect(JSON.stringify(waiting)).not.toContain(token)
})

/** A path that leads nowhere would let a setting that is renamed wait without anybody knowing. */
test.each([...liveSettings, ...waitingSettings])('%s is a setting', (path) => {
  const optional = new Set(['limits.waitMsMax'])
  const value = path
    .split('.')
    .reduce<unknown>((found, key) => (found as Record<string, unknown> | undefined)?.[key], now)
  expect(optional.has(path) || value !== undefined).toBe(true)
})
