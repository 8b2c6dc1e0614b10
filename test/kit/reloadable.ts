/** A gateway with a configuration file in a folder of its own, which the test changes while it runs. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { refusedMessage } from '../../src/config/reload.ts'
import type { LoadOptions } from '../../src/config/source.ts'
import type { GatewayParts } from '../../src/gateway.ts'
import type { ConfigInput } from './config-of.ts'
import { type GatewayUnderTest, type LogLine, startGateway } from './gateway-under-test.ts'
import { eventually } from './within.ts'

export interface Reloadable {
  readonly gateway: GatewayUnderTest
  readonly folder: string
  readonly file: string
  /** In place, as an editor does that knows no better. */
  write(config: ConfigInput): Promise<void>
  /** The text of a file with this configuration. */
  textOf(config: ConfigInput): string
  /** Lines of the log about taking configurations, in order. */
  told(): readonly LogLine[]
  /** Resolves with the lines that came since `since` lines were there, once there is one of them. */
  toldSince(since: number, withinMs?: number): Promise<readonly LogLine[]>
}

const messages = new Set(['configuration taken', 'configuration read again: nothing has changed', refusedMessage])

export async function startReloadable(
  config: ConfigInput,
  {
    more = {},
    environment = {},
    flags = [],
  }: {
    more?: Partial<Omit<GatewayParts, 'log' | 'version'>>
    environment?: LoadOptions['environment']
    flags?: readonly (readonly [string, readonly string[]])[]
  } = {},
): Promise<Reloadable> {
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-reload-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'lmx-gateway.yaml')
  const whole = (own: ConfigInput): ConfigInput => ({
    ...own,
    server: { port: 0, ...own.server },
    admin: { port: 0, ...own.admin },
    storage: { path: ':memory:' },
  })
  // What is JSON is YAML, too.
  const textOf = (own: ConfigInput): string => JSON.stringify(whole(own), null, 2)
  await writeFile(file, textOf(config))
  const load = () => loadConfig({ flags: new Map([['config', [file]], ...flags]), environment: environment ?? {} })
  const gateway = await startGateway(whole(config), { loadConfig: load, configFile: file, ...more })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const told = () => gateway.log.filter(({ message }) => messages.has(message))
  return {
    gateway,
    folder,
    file,
    textOf,
    write: (own) => writeFile(file, textOf(own)),
    told,
    async toldSince(since, withinMs = 20_000) {
      await eventually(withinMs, 'a configuration to be taken or refused', () => told().length > since)
      return told().slice(since)
    },
  }
}
