/** Which room may import which: lower rooms know nothing of higher ones, and only gateway.ts knows all. */

import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { importsOf, root, type SourceFile, sourceFiles } from './repository.ts'

/**
 * A room may import itself, and of the others what stands here: a whole room, one file of it by its path, or the
 * files of one name in any room. Lowest layer first: a row names only rows above it.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  hosts: ['base', 'wire'],
  metering: ['base', 'wire'],
  access: ['base', 'wire', 'metering/usage.ts'],
  balancing: ['base', 'wire', 'hosts'],
  queue: ['base', 'hosts', 'balancing'],
  // Who else stands before the same hosts; what they tell each other is the affair of the rooms that it is about.
  replicas: ['base'],
  // Implements the ports of the rooms that have something to keep or to share.
  stores: ['base', 'access', 'metering', 'queue', 'replicas'],
  relay: ['base', 'wire', 'hosts', 'metering', 'balancing', 'queue'],
  // Listens only: it knows what happened, by the types of the events, and nobody.
  observe: ['base', '*/events.ts', 'stores/redis/events.ts', 'relay/outcome.ts'],
  http: ['base', 'wire', 'hosts', 'metering', 'access', 'balancing', 'queue', 'replicas', 'relay', 'observe'],
  config: ['base', '*/options.ts'],
  // Reads all parts for metrics and pages, and decides nothing.
  'gateway-figures.ts': ['base', 'hosts', 'metering', 'access', 'balancing', 'queue', 'relay', 'observe', 'config'],
  'gateway-parts.ts': ['base', 'hosts', 'metering', 'access', 'config', 'stores/store.ts'],
  // Tells every room that has settings of others.
  'gateway-reload.ts': ['gateway-parts.ts', 'base', 'hosts', 'metering', 'access', 'balancing', 'queue', 'config'],
  'gateway-fleet.ts': ['base', 'hosts', 'queue', 'observe', 'http', 'config'],
  'gateway-drain.ts': ['base', 'metering', 'queue', 'relay', 'observe'],
  'gateway-relay.ts': ['base', 'hosts', 'metering', 'queue', 'relay', 'observe', 'config'],
  'gateway-shared.ts': [
    'base',
    'access',
    'queue',
    'metering',
    'replicas',
    'balancing',
    'hosts',
    'stores',
    'observe',
    'config',
  ],
  'gateway-listeners.ts': [
    'gateway-shared.ts',
    'base',
    'hosts',
    'metering',
    'access',
    'balancing',
    'queue',
    'stores',
    'relay',
    'observe',
    'http',
    'config',
  ],
  'gateway-upkeep.ts': ['gateway-reload.ts', 'base', 'hosts', 'metering', 'queue'],
  'gateway.ts': [
    'gateway-parts.ts',
    'gateway-figures.ts',
    'gateway-listeners.ts',
    'gateway-drain.ts',
    'gateway-fleet.ts',
    'gateway-relay.ts',
    'gateway-reload.ts',
    'gateway-shared.ts',
    'gateway-upkeep.ts',
    'base',
    'wire',
    'hosts',
    'metering',
    'access',
    'balancing',
    'queue',
    'stores',
    'relay',
    'observe',
    'http',
    'config',
  ],
  // One folder below the manifest, in the sources as in what is built from them.
  'version.ts': [],
  // Decides where the log goes, hence knows its writer; administers keys and reads the ledger without a gateway, and
  // checks what a gateway elsewhere says of its traffic.
  cli: [
    'base',
    'metering',
    'access',
    'balancing/reasons.ts',
    'hosts/obstacles.ts',
    'queue/line-view-schema.ts',
    'stores',
    'relay/live-request-schema.ts',
    'http/admin/decision-schema.ts',
    'http/admin/ended-request-schema.ts',
    'http/admin/requests-schema.ts',
    'relay/phase-names.ts',
    'config',
    'gateway.ts',
    'observe/log-writer.ts',
    'http/admin/fleet-schema.ts',
    'http/admin/host-schema.ts',
    'http/admin/replicas-schema.ts',
    'http/admin/stats-schema.ts',
    'hosts/discovery/discover.ts',
    'version.ts',
  ],
  'main.ts': ['base', 'config', 'gateway.ts', 'cli'],
  // Runs on any old Node and must look before it loads anything.
  'launch.js': ['main.ts'],
}

function roomViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) => {
    const room = roomOf(file.path)
    const allowed = mayImport[room]
    if (allowed === undefined) return [`${file.path}: the room ${room} has no row in the import table of rooms.test.ts`]
    return importsOf(file)
      .filter(({ isRelative, target }) => isRelative && !isAllowed(room, allowed, target))
      .map(({ line, target }) => `${file.path}:${line} imports ${target}; ${room} may import: ${list(allowed)}`)
  })
}

function isAllowed(room: string, allowed: readonly string[], target: string): boolean {
  const targetRoom = roomOf(target)
  if (targetRoom === room) return true
  const path = target.slice('src/'.length)
  return allowed.some((entry) =>
    entry.startsWith('*/') ? path === `${targetRoom}/${entry.slice(2)}` : entry === targetRoom || entry === path,
  )
}

/** The folder directly under src/, or the file itself where there is none; what is outside of src/ is its own room. */
function roomOf(path: string): string {
  return path.startsWith('src/') ? (path.split('/')[1] ?? path) : path
}

function list(allowed: readonly string[]): string {
  return allowed.length === 0 ? 'nothing' : allowed.join(', ')
}

test('every import keeps to the table', () => {
  const files = sourceFiles()
  expect(files.length).toBeGreaterThan(20)
  expect(roomViolations(files)).toEqual([])
})

test('the table has no row for a room that is gone, and names only rows above', () => {
  const there = readdirSync(`${root}/src`)
  const rows = Object.keys(mayImport)
  expect(rows.filter((row) => !row.includes('.') && !there.includes(row))).toEqual([])
  for (const [at, row] of rows.entries())
    for (const entry of mayImport[row]!.filter((name) => !name.includes('/')))
      expect(rows.slice(0, at)).toContain(entry)
})

test.each([
  ['src/relay/relay.ts', "import { app } from '../http/app.ts'", 'src/relay/relay.ts:1 imports src/http/app.ts'],
  ['src/wire/a.ts', "\nexport type { B } from '../hosts/b.ts'", 'src/wire/a.ts:2 imports src/hosts/b.ts'],
  ['src/observe/a.ts', "const b = await import('../queue/line.ts')", 'src/observe/a.ts:1 imports src/queue/line.ts'],
  ['src/hosts/kinds/a.ts', "import '../../queue/line.ts'", 'src/hosts/kinds/a.ts:1 imports src/queue/line.ts'],
  ['src/base/a.ts', "type A = import('../gateway.ts').Gateway", 'src/base/a.ts:1 imports src/gateway.ts'],
  ['src/http/a.ts', "import { a } from '../../test/kit/a.ts'", 'src/http/a.ts:1 imports test/kit/a.ts'],
  ['src/newroom/a.ts', '', 'the room newroom has no row'],
])('a planted violation in %s is found', (path, text, found) => {
  expect(roomViolations([{ path, text }])).toEqual([expect.stringContaining(found)])
})

test.each([
  ['src/observe/a.ts', "import type { E } from '../queue/events.ts'"],
  ['src/config/schema.ts', "import { o } from '../queue/options.ts'"],
  ['src/relay/a.ts', "import { b } from './b.ts'\n// import { app } from '../http/app.ts'"],
])('what is allowed in %s passes', (path, text) => {
  expect(roomViolations([{ path, text }])).toEqual([])
})
