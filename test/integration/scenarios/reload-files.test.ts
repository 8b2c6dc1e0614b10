/** G08: the file of a running gateway is broken, half written, emptied, replaced or gone: the configuration before holds whole, and the next good one is taken. */

import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { refusedMessage } from '../../../src/config/reload.ts'
import { ChaosHost, wholeRequest } from '../../kit/chaos-host.ts'
import type { ConfigInput } from '../../kit/config-of.ts'
import { jsonResponseBytes } from '../../kit/http-bytes.ts'
import { type Reloadable, startReloadable } from '../../kit/reloadable.ts'
import { becomesTrue } from '../../kit/within.ts'
import { chatAnswer, model } from './scene.ts'

/** A name that the configuration before has, and one that only the next good one has. */
const before = 'before'
const after = 'after'

interface Broken extends Reloadable {
  /** As the good one is written at the end. */
  readonly config: (alias: string) => ConfigInput
}

interface Variant {
  readonly name: string
  /** Breaks the file. */
  readonly play: (on: Broken) => Promise<void>
  /** What each line says, in order. */
  readonly problems: readonly RegExp[]
}

async function replace({ file, folder }: Reloadable, text: string): Promise<void> {
  const made = join(folder, '.lmx-gateway.yaml.tmp')
  await writeFile(made, text)
  await rename(made, file)
}

const variants: readonly Variant[] = [
  {
    name: 'is no YAML',
    play: ({ file }) => writeFile(file, 'server:\n  port: 0\n bind: 127.0.0.1\n'),
    problems: [/lmx-gateway\.yaml:3:\d+: not valid YAML/],
  },
  {
    name: 'has a key that is unknown',
    play: ({ file }) => writeFile(file, 'server:\n  prot: 0\n'),
    problems: [/lmx-gateway\.yaml:2:3 server\.prot: .*"port"/],
  },
  {
    name: 'has several faults, each with its line',
    play: ({ file }) =>
      writeFile(file, 'server:\n  prot: 0\nqueue:\n  lengthMax: -1\nhosts:\n  - { url: "ftp://h" }\n'),
    problems: [/:2:3 server\.prot/, /:4:14 queue\.lengthMax/, /:6:12 hosts\[0\]\.url/],
  },
  {
    name: 'names a variable that is not set',
    play: ({ file }) => writeFile(file, 'hosts:\n  - { url: "http://127.0.0.1:9", apiKey: "${NOT_SET}" }\n'),
    problems: [/:2:\d+ hosts\[0\]\.apiKey: .*NOT_SET/],
  },
  {
    name: 'ends in the middle of a value',
    play: async (on) => {
      const text = on.textOf(on.config(after))
      await writeFile(on.file, text.slice(0, text.indexOf('"kind"') + 10))
    },
    problems: [/lmx-gateway\.yaml:\d+:\d+: not valid YAML/],
  },
  {
    name: 'is emptied, as editors do before they write',
    play: ({ file }) => truncate(file, 0),
    problems: [/lmx-gateway\.yaml: there is nothing in the file/],
  },
  {
    name: 'has comments alone',
    play: ({ file }) => writeFile(file, '# hosts:\n'),
    problems: [/there is nothing in the file/],
  },
  {
    name: 'is taken away',
    play: ({ file }) => rm(file),
    problems: [/there is no file .*lmx-gateway\.yaml/],
  },
  {
    name: 'is a folder now',
    play: async ({ file }) => {
      await rm(file)
      await mkdir(file)
    },
    problems: [/lmx-gateway\.yaml/],
  },
  {
    name: 'is larger than a configuration is',
    play: (on) => replace(on, `# ${'x'.repeat(1_100_000)}\n${on.textOf(on.config(after))}`),
    problems: [/has \d+ bytes; a configuration has at most/],
  },
  {
    name: 'is replaced by a broken one that is renamed over it',
    play: (on) => replace(on, 'hosts: []\n'),
    problems: [/:1:8 hosts/],
  },
  {
    name: 'is a symlink that leads to a broken one',
    play: async (on) => {
      const other = join(on.folder, 'elsewhere')
      await mkdir(other)
      await writeFile(join(other, 'broken.yaml'), 'hosts: 3\n')
      await rm(on.file)
      await symlink(join(other, 'broken.yaml'), on.file)
    },
    problems: [/:1:8 hosts/],
  },
  {
    name: 'is behind a link to a folder that is swapped, as Kubernetes does it',
    play: async (on) => {
      for (const [version, text] of [
        ['v1', on.textOf(on.config(before))],
        ['v2', 'hosts: 3\n'],
      ] as const) {
        await mkdir(join(on.folder, version))
        await writeFile(join(on.folder, version, 'lmx-gateway.yaml'), text)
      }
      await symlink('v1', join(on.folder, '..data'))
      await symlink(join('..data', 'lmx-gateway.yaml'), join(on.folder, 'link'))
      await rename(join(on.folder, 'link'), on.file)
      await on.toldSince(0)
      await symlink('v2', join(on.folder, '..data_tmp'))
      await rename(join(on.folder, '..data_tmp'), join(on.folder, '..data'))
    },
    problems: [/:1:8 hosts/],
  },
  {
    name: 'names a file for a host that cannot be used',
    play: ({ file }) => writeFile(file, 'hosts:\n  - { name: a, url: "https://127.0.0.1:9", ca: /no/such.pem }\n'),
    problems: [/ca of the host a: .*\/no\/such\.pem/],
  },
]

async function broken(): Promise<Broken> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('yes')) as object))
  const config = (alias: string): ConfigInput => ({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 2 }],
    models: { aliases: { [alias]: model } },
  })
  return { ...(await startReloadable(config(before))), config }
}

async function statusOf({ gateway }: Reloadable, name: string): Promise<number> {
  const answer = await fetch(`${gateway.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: name, messages: [{ role: 'user', content: 'hi' }] }),
  })
  await answer.arrayBuffer()
  return answer.status
}

test.each(variants)(
  'G08: a file that $name changes nothing, is told of, and the next good one is taken',
  {
    timeout: 60_000,
  },
  async ({ play, problems }) => {
    const on = await broken()
    const { gateway } = on
    await play(on)
    const refused = () => on.told().filter(({ message }) => message === refusedMessage)
    await becomesTrue(20_000, 'the file to be refused', async () => refused().length >= problems.length)
    const lines = refused().slice(-problems.length)
    expect(lines.map(({ level }) => level)).toEqual(problems.map(() => 'error'))
    for (const [at, problem] of problems.entries()) expect(lines[at]?.fields['problem']).toMatch(problem)
    expect(await gateway.metric('config_last_reload_success')).toBe(0)
    expect(await statusOf(on, before)).toBe(200)
    expect(await statusOf(on, after)).toBe(404)

    await rm(on.file, { recursive: true, force: true })
    await replace(on, on.textOf(on.config(after)))
    await becomesTrue(20_000, 'the good file to be taken', async () => {
      return (await gateway.metric('config_last_reload_success')) === 1 && (await statusOf(on, after)) === 200
    })
    expect(await statusOf(on, before)).toBe(404)
  },
)

test('G08: the folder itself is moved away and made anew, with noise around the file: the watcher survives', {
  timeout: 60_000,
}, async () => {
  const on = await broken()
  const { gateway, folder } = on
  const away = `${folder}-away`
  onTestFinished(() => rm(away, { recursive: true, force: true }))
  await rename(folder, away)
  await on.toldSince(0)
  expect(await statusOf(on, before)).toBe(200)
  await mkdir(folder)
  await on.write(on.config(after))
  await becomesTrue(20_000, 'the file in the new folder to be taken', async () => (await statusOf(on, after)) === 200)
  const toldSoFar = on.told().length
  for (let i = 0; i < 20; i++) await writeFile(join(folder, `.lmx-gateway.yaml.sw${i}`), 'hosts: 3\n')
  await on.write(on.config(before))
  await becomesTrue(20_000, 'the file to be taken once more', async () => (await statusOf(on, before)) === 200)
  expect(
    on
      .told()
      .slice(toldSoFar)
      .map(({ level }) => level),
  ).toEqual(['info'])
  expect(await gateway.metric('config_last_reload_success')).toBe(1)
})
