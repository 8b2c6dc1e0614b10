/** What a start loads: whatever it can do without is loaded later, or never. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchScript, RunningProcess } from '../kit/child-process.ts'
import { listen } from '../kit/servers.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-modules-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Writes down what was loaded by the moment that the program says something. */
const recorder = `
import { registerHooks } from 'node:module'
import { writeFileSync } from 'node:fs'
const loaded = []
registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context) } })
const write = process.stdout.write
process.stdout.write = function (...args) {
  process.stdout.write = write
  writeFileSync(process.env.LOADED, JSON.stringify(loaded))
  return write.apply(this, args)
}
`

/** The packages that a start has loaded when it listens. */
async function packagesAt(args: readonly string[]): Promise<string[]> {
  const closed = await listen(createServer())
  await closed.close()
  const hooks = join(folder, 'hooks.mjs')
  const loaded = join(folder, 'loaded.json')
  await writeFile(hooks, recorder)
  const own = ['--port', '0', '--admin-port', '0', '--store', join(folder, 'gateway.db'), '--host-url', closed.url]
  await using gateway = new RunningProcess(process.execPath, ['--import', hooks, launchScript, ...own, ...args], {
    cwd: folder,
    env: { LOADED: loaded },
  })
  await gateway.said(/listening/)
  const urls = JSON.parse(await readFile(loaded, 'utf8')) as string[]
  const names = urls.map((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1])
  return [...new Set(names.filter((name) => name !== undefined))].toSorted()
}

test('a start without a file loads what talks to hosts, and nothing for operators, scrapes and files', async () => {
  expect(await packagesAt([])).toEqual(['p-queue', 'undici'])
})

test.each([
  ['of common settings loads the parser, too', 'log: { level: warn }\n', ['p-queue', 'undici', 'yaml']],
  [
    'of others loads the schemas as well',
    'limits: { timeZone: Europe/Berlin }\n',
    ['p-queue', 'undici', 'yaml', 'zod'],
  ],
])('a start with a file %s', async (_what, text, packages) => {
  const file = join(folder, 'lmx-gateway.yaml')
  await writeFile(file, text)
  expect(await packagesAt(['--config', file])).toEqual(packages)
})
