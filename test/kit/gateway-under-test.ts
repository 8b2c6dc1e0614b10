/** A real gateway on free loopback ports, stopped at the end, with what tests look at: its outcomes, log lines and metrics. */
import { setTimeout as pause } from 'node:timers/promises'
import { createGateway, type Gateway, type GatewayParts } from '../../src/gateway.ts'
import type { UsageRecord } from '../../src/metering/usage-record.ts'
import { accessMessage } from '../../src/observe/access-log.ts'
import { type ConfigInput, configOf } from './config-of.ts'
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
  /** Opens the admin API; empty before a store that had one already. */
  readonly adminToken: string
  /** Creates a key by the admin API, whose fields `wanted` has; resolves once the gateway takes it. */
  createKey(wanted?: Readonly<Record<string, unknown>>): Promise<CreatedKey>
  /** Asks the admin API: the JSON of its answer, which must be a good one. */
  admin(method: string, path: string, body?: unknown): Promise<unknown>
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

export interface CreatedKey {
  /** As a client sends it. */
  readonly key: string
  readonly id: string
  readonly name: string
}

/** Starts it before the given hosts and waits until each was probed once. */
export async function startGateway(
  config: ConfigInput,
  parts: Partial<Omit<GatewayParts, 'log' | 'version'>> = {},
): Promise<GatewayUnderTest> {
  const log: LogLine[] = []
  const usage: UsageRecord[] = []
  let adminToken = ''
  let keysCreated = 0
  const waiting: { count: number; resolve: () => void }[] = []
  /** Those of the log that tell of a request: kept apart, since some tests make a hundred thousand of them. */
  const ended: LogLine[] = []
  const outcomes = (): LogLine[] => [...ended]
  const gateway = createGateway(
    configOf({ ...config, server: { port: 0, ...config.server }, admin: { port: 0, ...config.admin } }),
    {
      ...parts,
      version: '0.0.0-test',
      usage: (record) => void usage.push(record),
      onAdminToken: (token) => {
        adminToken = token.reveal()
      },
      log(level, message, fields = {}) {
        const line = { level, message, fields }
        log.push(line)
        if (message !== accessMessage) return
        ended.push(line)
        for (const waiter of waiting) if (ended.length >= waiter.count) waiter.resolve()
      },
    },
  )
  const { dataUrl, adminUrl } = await gateway.start()
  await within(10_000, 'the first probe of every host', gateway.firstProbes())
  const admin = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`${adminUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  const metrics = async (): Promise<string> => (await fetch(`${adminUrl}/metrics`)).text()
  return {
    gateway,
    url: dataUrl,
    baseUrl: `${dataUrl}/v1`,
    port: Number(new URL(dataUrl).port),
    adminUrl,
    adminToken,
    admin,
    async createKey(wanted = {}) {
      keysCreated += 1
      const created = (await admin('POST', '/admin/keys', { name: `key-${keysCreated}`, ...wanted })) as CreatedKey
      const isTaken = async (): Promise<boolean> => {
        const { ok } = await fetch(`${dataUrl}/v1/models`, { headers: { authorization: `Bearer ${created.key}` } })
        return ok
      }
      // The store tells of it as of one that another process created.
      while (!(await within(10_000, 'the new key to be taken', isTaken()))) await pause(5)
      return created
    },
    log,
    usage,
    outcomes,
    async outcomesOnce(count, withinMs = 10_000) {
      if (ended.length < count) {
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
    const match = /^lmx_gateway_([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
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
