/** A gateway whose time the test moves, and which must hold nothing any more when the test is over. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { createGateway } from '../../src/gateway.ts'
import { type ConfigInput, configOf } from '../kit/config-of.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { RawClient } from '../kit/raw-client.ts'
import { silentLog } from '../kit/silent-log.ts'
import { within } from '../kit/within.ts'

export interface HeldGateway {
  readonly clock: FakeClock
  connect(): Promise<RawClient>
  /** Sum over all series of a gauge, or over those whose labels include the text. */
  gauge(name: string, label?: string): Promise<number>
  /** Resolves once the gauge has the value; its time stands still meanwhile. */
  gaugeReaches(name: string, value: number): Promise<void>
}

const waitMsMax = 5_000

export async function heldGateway(config: ConfigInput): Promise<HeldGateway> {
  const clock = new FakeClock()
  const settings = configOf({ ...config, server: { port: 0 }, admin: { port: 0 } })
  const gateway = createGateway(settings, { version: '0.0.0-test', log: silentLog, clock })
  const { dataUrl, adminUrl } = await gateway.start()
  await within(waitMsMax, 'the first probe of every host', gateway.firstProbes())
  const gauge = async (name: string, label = ''): Promise<number> => {
    const text = await (await fetch(`${adminUrl}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(`lmx_gateway_${name}`) && line.includes(label))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
  const gaugeReaches = async (name: string, value: number): Promise<void> => {
    const endsAt = performance.now() + waitMsMax
    let now = await gauge(name)
    while (now !== value && performance.now() < endsAt) {
      await pause(5)
      now = await gauge(name)
    }
    expect(now, name).toBe(value)
  }
  onTestFinished(async () => {
    try {
      for (const name of ['host_inflight', 'queue_depth', 'queue_bytes']) await gaugeReaches(name, 0)
    } finally {
      await gateway.stop({ now: true })
    }
  })
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open(Number(new URL(dataUrl).port))
    onTestFinished(() => client.close())
    return client
  }
  return { clock, connect, gauge, gaugeReaches }
}
