/** The soak: a load with faults, leavers, slow readers, readers of nothing and bursts, then silence, and then nothing may be left of it. */
import { Agent } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { metricNamesIn, sumOf } from './exposition.ts'
import { GatewayChild } from './gateway-child.ts'
import { type AccessLine, Ledger } from './ledger.ts'
import { drawRequest, type Flood, floodAt, type RequestPlan } from './request-plan.ts'
import { SeededRandom } from './seeded-random.ts'
import { runRequest } from './soak-client.ts'
import { hostNames, SoakHosts } from './soak-hosts.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly warmUpSeconds: number
  /** Requests at once. */
  readonly streams: number
  /** Of one answer. */
  readonly tokensPerSecond: number
  readonly seed: number
  /** How far the heap may be above its baseline. */
  readonly heapShareMax: number
  readonly say: (line: string) => void
}

export interface Rest {
  readonly heapBytes: number
  readonly sockets: number
}

export interface SoakReport {
  readonly seed: number
  readonly seconds: number
  readonly requests: number
  readonly verdicts: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  readonly restarts: number
  readonly baseline: Rest
  readonly end: Rest
  readonly tokens: readonly TokenBalance[]
  readonly violations: readonly string[]
}

export interface TokenBalance {
  readonly host: string
  readonly type: 'input' | 'output'
  readonly metrics: number
  readonly hosts: number
  readonly difference: number
}

const reportEveryMs = 10_000
const restMsMax = 45_000
const burstFactor = 5
const clientStallMsMax = 2_000
/** Of a connection to a host. */
const idleMsMax = 4_000
/** A reader of nothing whose request is not over by then, for instance since it waited in the line, reads after all. */
const readsNothingMsMax = 10_000

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const run = await SoakRun.start(options)
  try {
    return await run.report()
  } finally {
    await run.close()
  }
}

class SoakRun {
  readonly #options: SoakOptions
  readonly #flood: Flood
  readonly #hosts: SoakHosts
  readonly #ledger: Ledger
  readonly #random: SeededRandom
  readonly #gateway: GatewayChild
  #agent = new Agent({ keepAlive: true })
  #running = 0
  #finished = 0
  #number = 0
  #odd: string[] = []
  /** Of those that read late, by their requests. */
  readonly #begins = new Map<string, () => void>()
  readonly #beganAt = performance.now()

  private constructor(options: SoakOptions, hosts: SoakHosts, gateway: GatewayChild) {
    this.#options = options
    this.#flood = floodAt(options.tokensPerSecond)
    this.#hosts = hosts
    this.#gateway = gateway
    this.#random = new SeededRandom(options.seed)
    this.#ledger = new Ledger((id) => hosts.takeEntries(id))
    gateway.onLine = (line) => this.#logged(line)
  }

  static async start(options: SoakOptions): Promise<SoakRun> {
    const hosts = await SoakHosts.start({
      slots: slotsPerHost(options.streams),
      tokensPerSecond: options.tokensPerSecond,
      flood: floodAt(options.tokensPerSecond),
      faultShare: options.minutes < 1 ? 0.15 : 0.05,
      restartEveryMs: options.minutes < 1 ? 6_000 : 20_000,
      seed: options.seed,
    })
    try {
      return new SoakRun(options, hosts, await GatewayChild.start(gatewayConfig(hosts.urls, options.streams)))
    } catch (error) {
      await hosts.stop()
      throw error
    }
  }

  async report(): Promise<SoakReport> {
    const { minutes, warmUpSeconds, seed, say } = this.#options
    say(`warming up for ${warmUpSeconds} s`)
    await this.#load(warmUpSeconds * 1_000)
    const baseline = await this.#rest(null)
    say(`baseline: ${inMiB(baseline.heapBytes)} MiB of heap, ${baseline.sockets} sockets`)
    await this.#load(minutes * 60_000)
    const end = await this.#rest(baseline)
    const tokens = await this.#balance()
    return {
      seed,
      seconds: Math.round((performance.now() - this.#beganAt) / 1_000),
      requests: this.#ledger.begun,
      verdicts: sorted(this.#ledger.verdicts),
      faults: sorted(this.#hosts.faultCounts),
      restarts: this.#hosts.restarts,
      baseline,
      end,
      tokens,
      violations: await this.#violations({ baseline, end, tokens }),
    }
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    try {
      await this.#gateway.stop()
    } finally {
      await this.#hosts.stop()
    }
  }

  /** Requests come at random, five times as often in a burst; beyond the bound they wait for one to end. */
  async #load(ms: number): Promise<void> {
    const endsAt = performance.now() + ms
    const ordinaryPerSecond = this.#options.streams / 8
    let burstUntil = 0
    let reportAt = performance.now() + reportEveryMs
    let dueAt = performance.now()
    this.#hosts.beginFaults()
    while (performance.now() < endsAt && this.#gateway.alive) {
      const now = performance.now()
      if (now >= reportAt) {
        this.#progress()
        reportAt += reportEveryMs
      }
      if (now < dueAt || this.#running >= this.#options.streams) {
        await pause(Math.min(Math.max(dueAt - now, 2), 20))
        continue
      }
      this.#launch()
      if (this.#random.chance(0.004)) burstUntil = now + this.#random.between(1_000, 4_000)
      dueAt = Math.max(dueAt, now - 200) + this.#random.gapMs(ordinaryPerSecond * (now < burstUntil ? burstFactor : 1))
    }
    await this.#hosts.endFaults()
  }

  #launch(): void {
    const plan = drawRequest(this.#random, ++this.#number, this.#flood)
    this.#running += 1
    this.#ledger.begin(plan)
    void this.#see(plan)
  }

  async #see(plan: RequestPlan): Promise<void> {
    const verdict = await runRequest(plan, this.#gateway.dataUrl, this.#agent, this.#begin(plan))
    this.#running -= 1
    this.#finished += 1
    this.#ledger.ended(plan, verdict)
  }

  /** When the client reads: at once, or some time after its request is over in the log. */
  async #begin(plan: RequestPlan): Promise<void> {
    if (!plan.readsLate) return
    const over = new Promise<void>((resolve) => this.#begins.set(plan.id, resolve))
    const patience = new AbortController()
    const tired = pause(readsNothingMsMax, undefined, { signal: patience.signal }).then(
      () => this.#ledger.reads(plan),
      () => {},
    )
    await Promise.race([over, tired])
    patience.abort()
    // Whatever the gateway still holds for it is given up by then.
    await pause(clientStallMsMax + 1_000)
    this.#begins.delete(plan.id)
  }

  #logged(line: string): void {
    let entry: { msg?: string; level?: string } & Partial<AccessLine>
    try {
      entry = JSON.parse(line) as typeof entry
    } catch {
      this.#odd.push(line)
      return
    }
    if (entry.msg === 'request') {
      this.#ledger.logged(entry as AccessLine, line)
      this.#begins.get(entry.requestId ?? '')?.()
    } else if (entry.level === 'error') this.#odd.push(line)
  }

  #progress(): void {
    const { settled, violations } = this.#ledger
    const seconds = Math.round((performance.now() - this.#beganAt) / 1_000)
    this.#options.say(
      `${seconds} s: ${this.#finished} requests ended, ${settled} settled, ${this.#running} running, ` +
        `${this.#hosts.restarts} restarts, ${violations.length + this.#odd.length} violations`,
    )
  }

  /** Waits until all is over and idle connections are closed, and looks at what is left then. */
  async #rest(baseline: Rest | null): Promise<Rest> {
    const endsAt = performance.now() + restMsMax
    while (performance.now() < endsAt && (this.#running > 0 || this.#ledger.unsettled.length > 0)) await pause(100)
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true })
    // Pooled connections to hosts end by then; those of the probes come and go.
    const quietAt = performance.now() + idleMsMax + 2_000
    while (performance.now() < quietAt) await pause(100)
    const socketsWanted = baseline?.sockets ?? Number.POSITIVE_INFINITY
    let sockets = this.#gateway.socketCount()
    while (sockets > socketsWanted && performance.now() < endsAt) {
      await pause(100)
      sockets = Math.min(sockets, this.#gateway.socketCount())
    }
    return { heapBytes: await this.#gateway.heapBytes(), sockets }
  }

  async #balance(): Promise<TokenBalance[]> {
    const page = await this.#gateway.metrics()
    return hostNames.flatMap((host) =>
      (['input', 'output'] as const).map((type) => {
        const metrics = sumOf(page, 'tokens_total', { host, type })
        const hosts = this.#ledger.totals.get(host)?.[type] ?? 0
        return { host, type, metrics, hosts, difference: metrics - hosts }
      }),
    )
  }

  async #violations({ baseline, end, tokens }: Pick<SoakReport, 'baseline' | 'end' | 'tokens'>): Promise<string[]> {
    const page = await this.#gateway.metrics()
    const gauges = ['host_inflight', 'queue_depth', 'queue_bytes', 'open_streams']
    for (const name of metricNamesIn(page)) if (name.includes('zombie') && !name.endsWith('_total')) gauges.push(name)
    const held = gauges.filter((name) => sumOf(page, name) !== 0)
    const heapBytesMax = baseline.heapBytes * (1 + this.#options.heapShareMax)
    return [
      ...this.#ledger.violations,
      ...this.#ledger.unsettled,
      ...this.#odd.map((line) => `the gateway said: ${line}`),
      ...held.map((name) => `${name} is ${sumOf(page, name)} at rest`),
      ...tokens.filter((one) => one.difference !== 0).map((one) => `tokens differ: ${JSON.stringify(one)}`),
      ...(end.sockets > baseline.sockets ? [`${end.sockets} sockets at rest, ${baseline.sockets} before`] : []),
      ...(end.heapBytes > heapBytesMax
        ? [`${inMiB(end.heapBytes)} MiB of heap at rest, ${inMiB(baseline.heapBytes)} before`]
        : []),
    ]
  }
}

/** Clocks short enough that stalls end within the soak; all else as it ships. */
function gatewayConfig(urls: readonly string[], streams: number) {
  return {
    server: { port: 0 },
    admin: { port: 0 },
    hosts: urls.map((url, index) => ({
      name: hostNames[index],
      url,
      kind: 'lmx' as const,
      slots: slotsPerHost(streams),
      // So that those at rest are soon gone.
      keepAliveMs: idleMsMax,
      // One of them answers by streams whoever asks for a whole answer.
      streamUpstream: index === 2,
    })),
    probe: { everyMs: 500, timeoutMs: 1_000 },
    queue: { lengthMax: Math.ceil(streams / 2), waitMsMax: 8_000 },
    relay: {
      connectMsMax: 1_000,
      firstContentMsMax: 3_000,
      contentGapMsMax: 2_500,
      answerMsMax: 20_000,
      headerHoldMs: 400,
      heartbeatMs: 300,
      clientStallMsMax,
    },
    log: { format: 'json' as const },
  }
}

/** Three hosts take three fifths of the most at once; the rest waits in the line. */
function slotsPerHost(streams: number): number {
  return Math.ceil(streams / 5)
}

function sorted(counts: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...counts].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function inMiB(bytes: number): string {
  return (bytes / 1_048_576).toFixed(2)
}
