/** A real gateway on free loopback ports, stopped at the end, with what tests look at: its outcomes, log lines and metrics. */
import { configOf } from '../../src/config/resolve.ts'
import type { ConfigInput } from '../../src/config/schema.ts'
import { createGateway, type Gateway, type GatewayParts } from '../../src/gateway.ts'
import type { UsageRecord } from '../../src/metering/usage-record.ts'
import { known } from './known-metric.ts'
import { within } from './within.ts'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface GatewayUnderTest extends AsyncDisposable {
  readonly gateway: Gateway
  /** http://127.0.0.1:port */
  readonly url: string
  /** The same with /v1: what an OpenAI client is pointed at. */
  readonly baseUrl: string
  readonly port: number
  readonly adminUrl: string
  readonly log: readonly LogLine[]
  /** One per ended request. */
  readonly usage: readonly UsageRecord[]
  /** Access-log lines: one per ended request. */
  outcomes(): readonly LogLine[]
  /** Resolves with the access-log lines as soon as there are `count`. */
  outcomesOnce(count: number, withinMs?: number): Promise<readonly LogLine[]>
  /** The exposition, or the value of one series: `metric('host_inflight', { host: 'a' })`; undefined when there is none. */
  metrics(): Promise<string>
  metric(name: string, labels?: Readonly<Record<string, string>>): Promise<number | undefined>
  /** Sum over all series of a metric whose labels include these. */
  sum(name: string, labels?: Readonly<Record<string, string>>): Promise<number>
}

/** Starts it before the given hosts and waits until each was probed once. */
export async function startGateway(
  config: ConfigInput,
  parts: Partial<Omit<GatewayParts, 'log' | 'version'>> = {},
): Promise<GatewayUnderTest> {
  const log: LogLine[] = []
  const usage: UsageRecord[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const outcomes = (): LogLine[] => log.filter((line) => line.message === 'request')
  const gateway = createGateway(
    configOf({ ...config, server: { port: 0, ...config.server }, admin: { port: 0, ...config.admin } }),
    {
      ...parts,
      version: '0.0.0-test',
      usage: (record) => void usage.push(record),
      log(level, message, fields = {}) {
        log.push({ level, message, fields })
        const ended = outcomes().length
        for (const waiter of waiting) if (ended >= waiter.count) waiter.resolve()
      },
    },
  )
  const { dataUrl, adminUrl } = await gateway.start()
  await within(10_000, 'the first probe of every host', gateway.firstProbes())
  const metrics = async (): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text()
  return {
    gateway,
    url: dataUrl,
    baseUrl: `${dataUrl}/v1`,
    port: Number(new URL(dataUrl).port),
    adminUrl,
    log,
    usage,
    outcomes,
    async outcomesOnce(count, withinMs = 10_000) {
      if (outcomes().length < count) {
        const reached = new Promise<void>((resolve) => waiting.push({ count, resolve }))
        await within(withinMs, `${count} ended requests`, reached)
      }
      return outcomes()
    },
    metrics,
    async metric(name, labels = {}) {
      return series(await metrics(), known(name), labels).find((one) => sameKeys(one.labels, labels))?.value
    },
    async sum(name, labels = {}) {
      return series(await metrics(), known(name), labels).reduce((sum, one) => sum + one.value, 0)
    },
    async [Symbol.asyncDispose]() {
      await gateway.stop({ now: true })
    },
  }
}

interface Series {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

function series(text: string, name: string, labels: Readonly<Record<string, string>>): Series[] {
  const found: Series[] = []
  for (const line of text.split('\n')) {
    const match = /^lmx_gateway_([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (match?.[1] !== name) continue
    const pairs = [...(match[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1], pair[2]])
    const own = Object.fromEntries(pairs) as Record<string, string>
    if (Object.entries(labels).every(([key, value]) => own[key] === value))
      found.push({ labels: own, value: Number(match[3]) })
  }
  return found
}

function sameKeys(a: object, b: object): boolean {
  return Object.keys(a).length === Object.keys(b).length
}
