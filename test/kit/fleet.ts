/** Doubles, a gateway before them, the official client at its door: started for one test, and found at rest when it is over. */

import { setTimeout as pause } from 'node:timers/promises'
import OpenAI, { type ClientOptions } from 'openai'
import { expect, onTestFinished } from 'vitest'
import type { ConfigInput } from './config-of.ts'
import { type GatewayUnderTest, startGateway } from './gateway-under-test.ts'
import { type LmxDouble, type LmxDoubleOptions, startLmxDouble } from './lmx-double/lmx-double.ts'
import { defaultModel } from './lmx-double/options.ts'
import { eventually } from './within.ts'

/** What a double serves unless it is told otherwise. */
export const model = defaultModel

export type HostInput = NonNullable<ConfigInput['hosts']>[number]

/** A double that is stopped when the test is over. */
export async function startDouble(options: LmxDoubleOptions = {}): Promise<LmxDouble> {
  const double = await startLmxDouble(options)
  doubles.set(double.url, double)
  onTestFinished(async () => {
    doubles.delete(double.url)
    await double.stop()
  })
  return double
}

/** Those that run, by their address. */
const doubles = new Map<string, LmxDouble>()

/** So short that a test can wait until no connection to a host is left, and long enough that requests in turn share one. */
export const keepAliveMs = 250

/** A gateway that must be at rest when the test is over: no lease, nobody in line, no bytes held, no connection to a double. */
export async function gatewayBefore(
  hosts: readonly HostInput[],
  config: Omit<ConfigInput, 'hosts'> = {},
): Promise<GatewayUnderTest> {
  const gateway = await startGateway({ ...config, hosts: hosts.map((host) => ({ keepAliveMs, ...host })) })
  onTestFinished(async () => {
    try {
      await expectAtRest(gateway)
      await expectNoConnections(hosts, config.probe?.everyMs)
    } finally {
      await gateway.gateway.stop({ now: true })
    }
  })
  return gateway
}

/** But those that probes keep in use, where they come so often: their requests follow one another on two in turn. */
async function expectNoConnections(hosts: readonly HostInput[], probesEveryMs = 5_000): Promise<void> {
  const most = probesEveryMs < 2 * keepAliveMs ? 2 : 0
  for (const { url } of hosts) {
    const double = doubles.get(url)
    await eventually(5_000, `every connection to ${url} to be closed`, () => (double?.connections ?? 0) <= most)
  }
}

/** The official client as anybody would point it at the gateway. */
export function clientOf(gateway: Pick<GatewayUnderTest, 'baseUrl'>, options: ClientOptions = {}): OpenAI {
  return new OpenAI({ baseURL: gateway.baseUrl, apiKey: 'any', ...options })
}

export interface OneHost {
  readonly double: LmxDouble
  readonly gateway: GatewayUnderTest
  readonly client: OpenAI
}

/** The smallest fleet: one double by the name of `studio`. */
export async function oneHost(
  options: LmxDoubleOptions = {},
  config: Omit<ConfigInput, 'hosts'> & { host?: Partial<HostInput> } = {},
): Promise<OneHost> {
  const { host, ...others } = config
  const double = await startDouble(options)
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url, ...host }], others)
  return { double, gateway, client: clientOf(gateway) }
}

/** The body of a chat with one message. */
export function ask(content: string, maxTokens?: number) {
  return {
    model,
    messages: [{ role: 'user' as const, content }],
    ...(maxTokens === undefined ? {} : { max_tokens: maxTokens }),
  }
}

/** Resolves once the metric, summed over the series with these labels, has the value. */
export async function gaugeReaches(
  gateway: GatewayUnderTest,
  name: string,
  value: number,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const labelled = `${name}${JSON.stringify(labels)}`
  const endsAt = performance.now() + waitMsMax
  for (;;) {
    const now = await gateway.sum(name, labels)
    if (now === value) return
    if (performance.now() > endsAt) throw new Error(`waited ${waitMsMax} ms in vain for ${labelled} ${value}: ${now}`)
    await pause(5)
  }
}

/** Whatever a test did, this holds when its last answer is over. */
export async function expectAtRest(gateway: GatewayUnderTest): Promise<void> {
  for (const gauge of ['host_inflight', 'host_zombie_slots', 'queue_depth', 'queue_bytes', 'open_streams']) {
    await gaugeReaches(gateway, gauge, 0)
  }
  const ids = gateway.outcomes().map(({ fields }) => fields['requestId'])
  expect(ids, 'one access-log line for each request').toEqual([...new Set(ids)])
  expectUsageRecords(gateway)
  const faults = gateway.log.filter(({ level }) => level === 'error')
  expect(faults, 'no fault of the gateway itself').toEqual([])
}

/** Each request that was accepted has one record of its use, under an id of its own, and it says what the log says. */
export function expectUsageRecords(gateway: GatewayUnderTest): void {
  const { usage } = gateway
  const recorded = usage.map(({ requestId, status, end, tokens, usageSource }) => {
    return { requestId, status, end, tokensIn: tokens.input, tokensOut: tokens.output, usage: usageSource }
  })
  expect(recorded, 'one usage record for each access-log line').toMatchObject(
    gateway.outcomes().map(({ fields }) => {
      const { requestId, status, end, tokensIn, tokensOut, usage: source } = fields
      return { requestId, status, end, tokensIn, tokensOut, usage: source }
    }),
  )
  expect(new Set(usage.map(({ id }) => id)).size, 'ids of usage records').toBe(usage.length)
}

const waitMsMax = 5_000
