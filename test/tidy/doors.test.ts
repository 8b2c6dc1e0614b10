/** One door per library: its types and habits stop there, so that it can be replaced in one place. */

import { isBuiltin } from 'node:module'
import { expect, test } from 'vitest'
import { importsOf, readSource, type SourceFile, sourceFiles } from './repository.ts'

/** Library → where it may be imported: files, or rooms (ending in a slash). */
const doors: Readonly<Record<string, readonly string[]>> = {
  // The declarations name the parts of it that the transport imports.
  undici: ['src/hosts/transport.ts', 'src/hosts/undici-parts.d.ts'],
  'prom-client': ['src/observe/'],
  // Loaded only where an endpoint is set.
  '@opentelemetry/api': ['src/observe/otlp/'],
  '@opentelemetry/exporter-metrics-otlp-http': ['src/observe/otlp/'],
  '@opentelemetry/exporter-trace-otlp-http': ['src/observe/otlp/'],
  '@opentelemetry/resources': ['src/observe/otlp/'],
  '@opentelemetry/sdk-metrics': ['src/observe/otlp/'],
  '@opentelemetry/sdk-trace': ['src/observe/otlp/'],
  // Loaded only when somebody looks for hosts.
  'bonjour-service': ['src/hosts/discovery/mdns.ts'],
  // Loaded only where several gateways share a Redis.
  '@redis/client': ['src/stores/redis/connection.ts'],
  yaml: ['src/config/'],
  hono: ['src/http/'],
  '@hono/node-server': ['src/http/'],
  'p-queue': ['src/hosts/'],
  // Describes options and reads what hosts say off the hot path; a request of a client is never parsed by it.
  zod: [
    'src/base/option-types.ts',
    'src/config/',
    '/options.ts',
    'src/access/checked.ts',
    'src/access/key-schema.ts',
    'src/metering/usage-report-schema.ts',
    'src/queue/line-view-schema.ts',
    'src/relay/live-request-schema.ts',
    'src/http/admin/',
  ],
}

/** What Node brings along and is a library all the same. */
const builtinDoors: Readonly<Record<string, readonly string[]>> = {
  'node:sqlite': ['src/stores/'],
}

function doorViolations(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    importsOf(file)
      .filter(({ isRelative, target }) => !isRelative && (!isBuiltin(target) || target in builtinDoors))
      .flatMap(({ line, target }) => {
        const library = nameOf(target)
        const at = doors[library] ?? builtinDoors[library]
        if (at === undefined) return [`${file.path}:${line} imports ${library}, which has no door in doors.test.ts`]
        if (at.some((door) => isDoor(door, file.path))) return []
        return [`${file.path}:${line} imports ${library}; its door: ${at.join(', ')}`]
      }),
  )
}

function isDoor(door: string, path: string): boolean {
  if (door.startsWith('/')) return path.endsWith(door)
  return door.endsWith('/') ? path.startsWith(door) : path === door
}

function nameOf(target: string): string {
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
}

test('every library comes in by its door', () => {
  expect(doorViolations(sourceFiles())).toEqual([])
})

test('every dependency has a door, and every door a dependency', () => {
  const { dependencies } = JSON.parse(readSource('package.json').text) as { dependencies: Record<string, string> }
  expect(Object.keys(doors).toSorted()).toEqual(Object.keys(dependencies).toSorted())
})

test.each([
  [
    'src/relay/a.ts',
    "import { Agent } from 'undici'",
    'imports undici; its door: src/hosts/transport.ts, src/hosts/undici-parts.d.ts',
  ],
  ['src/hosts/a.ts', "import type { Dispatcher } from 'undici'", 'imports undici'],
  ['src/cli/a.ts', "import { serve } from '@hono/node-server/conninfo'", 'imports @hono/node-server'],
  ['src/queue/a.ts', "import PQueue from 'p-queue'", 'imports p-queue'],
  ['src/wire/a.ts', "import { z } from 'zod'", 'imports zod'],
  ['src/http/a.ts', "import { DatabaseSync } from 'node:sqlite'", 'imports node:sqlite; its door: src/stores/'],
  ['src/wire/a.ts', "import express from 'express'", 'imports express, which has no door'],
])('a planted violation in %s is found', (path, text, found) => {
  expect(doorViolations([{ path, text }])).toEqual([expect.stringContaining(found)])
})

test('what comes in by its door passes', () => {
  const text = "import { request } from 'node:http'\nimport { z } from 'zod'"
  expect(doorViolations([{ path: 'src/queue/options.ts', text }])).toEqual([])
})
