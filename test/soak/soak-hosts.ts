/** Three LMX doubles that fail, stall and die at random, and know what they really sent. */
import type { FaultPlan } from '../kit/lmx-double/faults.ts'
import { type JournalEntry, type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { type Flood, floodWord } from './request-plan.ts'
import { SeededRandom } from './seeded-random.ts'

export interface SoakHostOptions {
  readonly slots: number
  readonly tokensPerSecond: number
  readonly flood: Flood
  readonly faultShare: number
  /** Between two deaths of a host. */
  readonly restartEveryMs: number
  readonly seed: number
}

export const hostNames = ['host-a', 'host-b', 'host-c'] as const

const downMsLeast = 300
const downMsMost = 1_500
/** A blocked event loop of a host: every answer of it is late, the probes' too. */
const blockedMs = 700

export class SoakHosts {
  readonly #options: SoakHostOptions
  readonly #random: SeededRandom
  readonly #doubles: readonly LmxDouble[]
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #entries = new Map<string, Map<string, JournalEntry[]>>()
  readonly #seenTo: number[]
  readonly faultCounts = new Map<string, number>()
  restarts = 0

  private constructor(doubles: readonly LmxDouble[], options: SoakHostOptions) {
    this.#doubles = doubles
    this.#options = options
    this.#random = new SeededRandom(options.seed + 1)
    this.#seenTo = doubles.map(() => 0)
  }

  static async start(options: SoakHostOptions): Promise<SoakHosts> {
    const { slots, tokensPerSecond, flood, seed } = options
    const doubles = await Promise.all(
      hostNames.map((_, index) =>
        startLmxDouble({
          slots,
          seed: seed + index,
          slotWaitMs: 1_500,
          inferenceTimeoutMs: 15_000,
          journalMax: 10_000,
          reply: ({ lastUserText }) => (lastUserText.startsWith(floodWord) ? flood.words : null),
          cost: { ttftMs: 150, decodeTokensPerSecond: tokensPerSecond, jitter: 0.3 },
        }),
      ),
    )
    return new SoakHosts(doubles, options)
  }

  get urls(): readonly string[] {
    return this.#doubles.map(({ url }) => url)
  }

  beginFaults(): void {
    for (const [index, double] of this.#doubles.entries()) {
      const random = new SeededRandom(this.#options.seed + 100 + index)
      double.faults.drawFrom(() => this.#drawFault(random))
    }
    this.#after(this.#options.restartEveryMs, () => this.#trouble())
  }

  /** No new faults; hosts that are down come back. */
  async endFaults(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    for (const double of this.#doubles) {
      double.faults.clear()
      if (this.#down.delete(double)) await double.openListener()
    }
  }

  /** What the hosts did for one request, in order; forgotten with this. */
  takeEntries(requestId: string): ReadonlyMap<string, readonly JournalEntry[]> {
    this.#collect()
    const found = this.#entries.get(requestId) ?? new Map<string, JournalEntry[]>()
    this.#entries.delete(requestId)
    return found
  }

  get connections(): number {
    return this.#doubles.reduce((sum, double) => sum + double.connections, 0)
  }

  async stop(): Promise<void> {
    await this.endFaults()
    await Promise.all(this.#doubles.map((double) => double.stop()))
  }

  readonly #down = new Set<LmxDouble>()

  #trouble(): void {
    const double = this.#random.of(this.#doubles as [LmxDouble, ...LmxDouble[]])
    const at = this.#random.next()
    if (at < 0.75) this.#restart(double, at < 0.5)
    else {
      double.faults.set({ delayAllMs: blockedMs })
      this.#after(1_000, () => double.faults.set({}))
    }
    this.#after(this.#random.between(0.5, 1.5) * this.#options.restartEveryMs, () => this.#trouble())
  }

  /** Killed, or closing its port while its answers go on. */
  #restart(double: LmxDouble, killed: boolean): void {
    if (this.#down.has(double)) return
    this.restarts += 1
    this.#down.add(double)
    if (killed) double.crash(this.#random.chance(0.5) ? 'reset' : 'fin')
    else double.closeListener()
    this.#after(this.#random.between(downMsLeast, downMsMost), () => {
      if (this.#down.delete(double)) void double.openListener()
    })
  }

  #after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      action()
    }, ms)
    this.#timers.add(timer)
  }

  #drawFault(random: SeededRandom): FaultPlan {
    if (!random.chance(this.#options.faultShare)) return {}
    const [name, plan] = random.of(faults)
    this.faultCounts.set(name, (this.faultCounts.get(name) ?? 0) + 1)
    return plan(random.between(1, 12))
  }

  #collect(): void {
    for (const [index, double] of this.#doubles.entries()) {
      const { requests } = double
      const seenTo = this.#seenTo[index] ?? 0
      let at = requests.length
      while (at > 0 && (requests[at - 1]?.id ?? 0) > seenTo) at -= 1
      for (const entry of requests.slice(at)) this.#keep(hostNames[index] ?? '', entry)
      this.#seenTo[index] = requests.at(-1)?.id ?? seenTo
    }
  }

  #keep(host: string, entry: JournalEntry): void {
    const id = entry.headers['x-request-id']
    if (!entry.inference || typeof id !== 'string' || !id.startsWith('soak-')) return
    const ofRequest = this.#entries.get(id) ?? new Map<string, JournalEntry[]>()
    this.#entries.set(id, ofRequest)
    ofRequest.set(host, [...(ofRequest.get(host) ?? []), entry])
  }
}

type NamedFault = readonly [name: string, plan: (afterTokens: number) => FaultPlan]

/** `n`: so many tokens into the answer. */
const faults: readonly [NamedFault, ...NamedFault[]] = [
  ['no byte, FIN', () => ({ emptyReply: true })],
  ['no byte, RST', () => ({ emptyReply: true, cut: 'reset' })],
  ['RST before content', () => ({ cutAfterTokens: 0, cut: 'reset' })],
  ['FIN in content', (n) => ({ cutAfterTokens: n })],
  ['RST in content', (n) => ({ cutAfterTokens: n, cut: 'reset' })],
  ['clean end before content', () => ({ cutAfterTokens: 0, cutAs: 'truncation' })],
  ['clean end in content', (n) => ({ cutAfterTokens: n, cutAs: 'truncation' })],
  ['garbage', (n) => ({ cutAfterTokens: n, cutAs: 'garbage' })],
  ['error frame', (n) => ({ cutAfterTokens: n, cutAs: 'error_frame' })],
  ['error frame before content', () => ({ cutAfterTokens: 0, cutAs: 'error_frame' })],
  ['stall before content', () => ({ stallBeforeContent: true })],
  ['stall in content', (n) => ({ stallAfterTokens: n })],
  ['short stall', (n) => ({ stallAfterTokens: n, stallMs: 800 })],
  ['in-band busy', () => ({ busy: true })],
  ['in-band failure', (n) => ({ errorAfterTokens: n })],
  ['in-band failure before content', () => ({ errorAfterTokens: 0 })],
  ['in-band timeout', (n) => ({ timeoutAfterTokens: n })],
  ['429', () => ({ rateLimited: true })],
  ['500', () => ({ internalError: true })],
  ['500 in plain text', () => ({ crash: true })],
  ['open after the last frame', () => ({ lingerMs: 5_000 })],
]
