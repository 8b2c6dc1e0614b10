/** Finds inference hosts when somebody asks for them, and adds none: who announces itself, and what answers at addresses that were named. */
import PQueue from 'p-queue'
import type { Clock } from '../../base/clock.ts'
import { Host } from '../host.ts'
import { reportOf } from '../host-report.ts'
import { detectKind } from '../kinds/kinds.ts'
import { healthOptions, probeOptions, sloOptions } from '../options.ts'
import { Prober } from '../prober.ts'
import { isNeighbour, urlsOf } from './addresses.ts'
import { browse } from './mdns.ts'

export { urlsOf } from './addresses.ts'

export interface DiscoverOptions {
  /** As `urlsOf` takes them. */
  readonly addresses: readonly string[]
  /** How long to listen to announcements; null: not at all. */
  readonly browseMs: number | null
  /** As in `BrowseOptions`. */
  readonly interface?: string | undefined
  readonly mdnsPort?: number | undefined
  /** Until an address that says nothing is given up. */
  readonly timeoutMs: number
}

export interface FoundHost {
  readonly url: string
  /** As it announces itself; null where it was found at an address that was named. */
  readonly announcedAs: string | null
  /** Null where something answers that is none of the kinds, or where it was not asked. */
  readonly kind: string | null
  readonly models: readonly string[]
  /** Why it could not take work as it is; null where it could. */
  readonly problem: string | null
}

export interface Discovered {
  readonly hosts: readonly FoundHost[]
  /** URLs that were named or announced and where nothing answers. */
  readonly silent: readonly string[]
  /** Why announcements could not be listened to; null where they were, or were not wanted. */
  readonly browseProblem: string | null
}

export interface DiscoverParts {
  readonly clock: Clock
  readonly userAgent: string
}

/** What LMX announces itself as: `_opta-lmx._tcp`. */
const serviceType = 'opta-lmx'

export async function discover(options: DiscoverOptions, parts: DiscoverParts): Promise<Discovered> {
  const announced = new Map<string, string>()
  const notAsked: FoundHost[] = []
  let browseProblem: string | null = null
  if (options.browseMs !== null) {
    const within = { forMs: options.browseMs, interface: options.interface, port: options.mdnsPort }
    try {
      for (const { name, address, port } of await browse(serviceType, within, parts.clock)) {
        const url = `http://${address}:${port}`
        if (isNeighbour(address)) announced.set(url, name)
        else notAsked.push({ ...unknown(url), announcedAs: name, problem: outside })
      }
    } catch (error) {
      browseProblem = error instanceof Error ? error.message : String(error)
    }
  }
  const named = options.addresses.flatMap((address) => urlsOf(address) ?? [])
  const { answers, silent } = await ask([...new Set([...announced.keys(), ...named])], options.timeoutMs, parts)
  const hosts = answers.map((host) => ({ ...host, announcedAs: announced.get(host.url) ?? null }))
  return { hosts: [...hosts, ...notAsked], silent, browseProblem }
}

/** Anybody on the network can announce any address, and nobody is to be sent out of it by that. */
const outside =
  'it announces an address outside of the private networks, and was not asked; to ask it, name its address'

function unknown(url: string): FoundHost {
  return { url, announcedAs: null, kind: null, models: [], problem: null }
}

/** Asked at once, so that a long list of addresses at which nothing is does not take its time for each. */
const askedAtOnceMax = 16

async function ask(
  urls: readonly string[],
  timeoutMs: number,
  parts: DiscoverParts,
): Promise<{ readonly answers: readonly FoundHost[]; readonly silent: readonly string[] }> {
  const queue = new PQueue({ concurrency: askedAtOnceMax })
  const found = await queue.addAll(urls.map((url) => () => askOne(url, timeoutMs, parts)))
  const answers = found.filter((host) => host !== null)
  const answering = new Set(answers.map(({ url }) => url))
  return { answers, silent: urls.filter((url) => !answering.has(url)) }
}

/** One probe, as of a host that is configured: without a key, and without loading or waking anything. Null where nothing answers. */
async function askOne(url: string, timeoutMs: number, { clock, userAgent }: DiscoverParts): Promise<FoundHost | null> {
  let answers = false
  const quiet = { log: () => {}, chance: () => 0.5, mayEject: () => false, canSpare: () => false, onChange: () => {} }
  const limits = { connectMsMax: timeoutMs, health: healthOptions.parse({}), slo: sloOptions.parse({}) }
  const host = new Host({ name: url, url, kind: null, models: [] }, limits, { clock, ...quiet })
  const prober = new Prober([host], probeOptions.parse({ timeoutMs }), {
    clock,
    log: () => {},
    userAgent,
    detect: (get) =>
      detectKind(async (path) => {
        const answer = await get(path)
        answers = true
        return answer
      }),
    onChange: () => {},
  })
  await prober.start()
  await prober.stop()
  await host.close()
  if (!answers) return null
  const { kind, models, problem } = reportOf(host)
  return { ...unknown(url), kind, models, problem }
}
