/** One of the gateways that are compared: started as users start it, before the same host, with what both know. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkout } from './checkout.ts'
import { startNode } from './children.ts'
import { asItComes, scrape, type Watching } from './watching.ts'

export type ArmName = 'before' | 'after'

export interface RunningArm extends AsyncDisposable {
  readonly pid: number
  readonly url: string
  readonly key: string | null
  /** Its clients ask for the speed receipt. */
  readonly receipts: boolean
}

/** What every arm of a comparison is started with. */
export interface ArmSetup {
  /** Of `wantedFlags`, those that all arms know. */
  readonly flags: readonly string[]
  readonly withKey: boolean
  /** For people; what could not be as it should. */
  readonly notes: readonly string[]
}

/** A free port for each door; the log as it is in production, whose reader here costs no core of the gateway. */
const wantedFlags: Readonly<Record<string, string>> = { port: '0', 'admin-port': '0', 'log-format': 'json' }

export class GatewayArm {
  readonly name: ArmName
  readonly checkout: Checkout
  readonly #watching: Watching

  constructor(name: ArmName, checkout: Checkout, watching: Watching = asItComes) {
    this.name = name
    this.checkout = checkout
    this.#watching = watching
  }

  /** For people: which version it is, and how it is watched. */
  get words(): string {
    return this.checkout.commit + this.#watching.words
  }

  /** Its --help: which flags and commands this version has. */
  async help(): Promise<string> {
    return this.#told(['--help'])
  }

  /** Listens, and has found the models of its host, when it resolves; its process ends when it is disposed of. */
  async start(hostUrl: string, slots: number, setup: ArmSetup, core: string | null): Promise<RunningArm> {
    const folder = await mkdtemp(join(this.checkout.folder, 'run-'))
    const config = join(folder, 'gateway.yaml')
    // JSON is YAML.
    const hosts = [{ name: 'stub', url: hostUrl, kind: 'openai', slots }]
    await writeFile(config, JSON.stringify({ hosts, ...this.#watching.config(hostUrl) }))
    await mkdir(join(folder, 'state'), { mode: 0o700 })
    const store = setup.withKey ? ['--store', join(folder, 'state', 'gateway.db')] : []
    const key = setup.withKey ? await this.#newKey(store) : null
    const args = [this.#launcher, '--config', config, ...setup.flags, ...store]
    const process = startNode(core, args, { cwd: folder })
    try {
      const url = await process.said(/(http:\S+)\/v1\n/)
      await process.said(/Try it/)
      const adminUrl = await process.said(/metrics .*?(http:\/\/[^\s/]+)/)
      const scraping = await scrape(adminUrl, this.#watching.scrapeEveryMs)
      const { pid } = process
      const { receipts } = this.#watching
      const end = async (): Promise<void> => {
        scraping[Symbol.dispose]()
        await process[Symbol.asyncDispose]()
      }
      return { pid, url, key, receipts, [Symbol.asyncDispose]: end }
    } catch (error) {
      await process[Symbol.asyncDispose]()
      throw new Error(`the gateway ${this.name} (${this.checkout.commit}) did not start`, { cause: error })
    }
  }

  get #launcher(): string {
    return join(this.checkout.folder, 'src', 'launch.js')
  }

  async #newKey(store: readonly string[]): Promise<string> {
    return (JSON.parse(await this.#told(['keys', 'create', '--name', 'bench', '--json', ...store])) as { key: string })
      .key
  }

  async #told(args: readonly string[]): Promise<string> {
    await using child = startNode(null, [this.#launcher, ...args], { cwd: this.checkout.folder })
    const { code } = await child.end()
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code} at ${this.checkout.commit}: ${child.err}`)
    return child.out
  }
}

/** What versions with these helps can all be started with. Throws where one cannot be told its host's slots. */
export function setupFor(helps: readonly string[]): ArmSetup {
  const knownToAll = (flag: string) => helps.every((help) => help.includes(`--${flag} `))
  if (!knownToAll('config')) throw new Error('one of the versions has no --config, so it cannot be given slots')
  const withKey = knownToAll('store') && helps.every((help) => help.includes('keys create'))
  const dropped = Object.keys(wantedFlags).filter((flag) => !knownToAll(flag))
  return {
    flags: Object.entries(wantedFlags).flatMap(([flag, value]) => (knownToAll(flag) ? [`--${flag}`, value] : [])),
    withKey,
    notes: [
      ...(withKey ? [] : ['no key and no store: one of the versions has none']),
      ...dropped.map((flag) => `without --${flag}, which one of the versions does not know`),
    ],
  }
}
