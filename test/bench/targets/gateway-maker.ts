/** A gateway of the benchmark: started as users run it, with a key that has limits, line, ledger, metrics and access log. */
import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkout } from '../checkout.ts'
import { startNode } from '../children.ts'
import { asItComes, scrape, type Watching } from '../watching.ts'
import type { Target, TargetMaker, TargetName, TargetWanted } from './target.ts'

/** A free port for each door; the log as it is in production, whose reader here costs no core of the gateway. */
const wantedFlags: Readonly<Record<string, string>> = { port: '0', 'admin-port': '0', 'log-format': 'json' }
/** High enough never to be reached, but counted. */
const limitFlags: Readonly<Record<string, string>> = { rpm: '10000000', tpm: '10000000000' }
const storeName = 'gateway.db'

export interface GatewayMakerParts {
  readonly name: TargetName
  readonly checkout: Checkout
  /** Of the checkout: `dist/launch.js` or `src/launch.js`. */
  readonly launcher: string
  readonly watching?: Watching
}

export class GatewayMaker implements TargetMaker {
  readonly name: TargetName
  readonly words: string
  /** What could not be as it should, since this version does not know it. */
  readonly notes: readonly string[]
  readonly #checkout: Checkout
  readonly #launcher: string
  readonly #watching: Watching
  readonly #flags: readonly string[]
  readonly #template: StoreTemplate | null

  /** Makes a key once: each start has a copy of that store. */
  static async make({ name, checkout, launcher, watching = asItComes }: GatewayMakerParts): Promise<GatewayMaker> {
    const told = (args: readonly string[]) => toldBy(launcher, args, checkout)
    const help = await told(['--help'])
    if (!knows(help, 'config')) throw new Error(`${checkout.commit} has no --config, so it cannot be given slots`)
    const hasKeys = knows(help, 'store') && help.includes('keys create')
    const limits = hasKeys ? knownOf(limitFlags, await told(['keys', 'create', '--help'])) : []
    const template = hasKeys ? await makeStore(checkout.folder, limits, told) : null
    return new GatewayMaker({ name, checkout, launcher, watching }, knownOf(wantedFlags, help), template, [
      ...(hasKeys ? [] : [`${checkout.commit} has no keys, so it runs without key and store`]),
      ...Object.keys(wantedFlags).flatMap((flag) =>
        knows(help, flag) ? [] : [`without --${flag}, which ${checkout.commit} does not know`],
      ),
    ])
  }

  private constructor(
    { name, checkout, launcher, watching = asItComes }: GatewayMakerParts,
    flags: readonly string[],
    template: StoreTemplate | null,
    notes: readonly string[],
  ) {
    this.name = name
    this.words = checkout.commit + watching.words
    this.notes = notes
    this.#checkout = checkout
    this.#launcher = launcher
    this.#watching = watching
    this.#flags = flags
    this.#template = template
  }

  absentBecause(): string | null {
    return null
  }

  /** Listens, and has found the models of its host, when it resolves. */
  async start({ hostUrl, slots, core, nodeArgs = [], env = {}, config = {}, store }: TargetWanted): Promise<Target> {
    const folder = await mkdtemp(join(this.#checkout.folder, 'run-'))
    const file = join(folder, 'gateway.yaml')
    // JSON is YAML.
    const hosts = [{ name: 'stub', url: hostUrl, kind: 'openai', slots }]
    await writeFile(file, JSON.stringify({ hosts, ...this.#watching.config(hostUrl), ...config }))
    const storeArgs = await this.#storeArgs(store ?? join(folder, 'state'))
    const args = [...nodeArgs, this.#launcher, '--config', file, ...this.#flags, ...storeArgs]
    const child = startNode(core, args, { cwd: folder, env })
    try {
      const url = await child.said(/(http:\S+)\/v1\n/)
      await child.said(/Try it/)
      const adminUrl = await child.said(/metrics .*?(http:\/\/[^\s/]+)/)
      const scraping = await scrape(adminUrl, this.#watching.scrapeEveryMs)
      const { name, words } = this
      const { pid } = child
      const { receipts } = this.#watching
      const key = this.#template?.key ?? null
      const end = async (): Promise<void> => {
        scraping[Symbol.dispose]()
        await child[Symbol.asyncDispose]()
      }
      return { name, words, url, adminUrl, key, receipts, pid, child, [Symbol.asyncDispose]: end }
    } catch (error) {
      await child[Symbol.asyncDispose]()
      throw new Error(`the ${this.name} (${this.words}) did not start: ${child.err}`, { cause: error })
    }
  }

  /** What is there already is kept. */
  async #storeArgs(folder: string): Promise<readonly string[]> {
    if (this.#template === null) return []
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await cp(this.#template.folder, folder, { recursive: true, force: false })
    return ['--store', join(folder, storeName)]
  }
}

interface StoreTemplate {
  readonly folder: string
  readonly key: string
}

async function makeStore(
  checkoutFolder: string,
  limits: readonly string[],
  told: (args: readonly string[]) => Promise<string>,
): Promise<StoreTemplate> {
  const folder = await mkdtemp(join(checkoutFolder, 'store-'))
  const args = ['keys', 'create', '--name', 'bench', '--json', ...limits, '--store', join(folder, storeName)]
  return { folder, key: (JSON.parse(await told(args)) as { key: string }).key }
}

async function toldBy(launcher: string, args: readonly string[], { folder, commit }: Checkout): Promise<string> {
  await using child = startNode(null, [launcher, ...args], { cwd: folder })
  const { code } = await child.end()
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code} at ${commit}: ${child.err}`)
  return child.out
}

function knows(help: string, flag: string): boolean {
  return help.includes(`--${flag} `)
}

function knownOf(flags: Readonly<Record<string, string>>, help: string): string[] {
  return Object.entries(flags).flatMap(([flag, value]) => (knows(help, flag) ? [`--${flag}`, value] : []))
}
