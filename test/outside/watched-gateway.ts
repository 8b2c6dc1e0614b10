/** A gateway in a process of its own, seen from outside only: its log, its metrics, its sockets. */

import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import type { ConfigInput } from '../kit/config-of.ts'
import { jsonRequestBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import { within } from '../kit/within.ts'
import { sumOf } from '../soak/exposition.ts'
import { GatewayChild } from '../soak/gateway-child.ts'

/** Idle connections to hosts, and those of the metrics page. */
export const sparseSockets = 8

export class WatchedGateway {
  readonly child: GatewayChild
  readonly #lines: string[] = []
  readonly #socketsAtStart: number

  private constructor(child: GatewayChild) {
    this.child = child
    this.#socketsAtStart = child.socketCount()
    child.onLine = (line) => this.#lines.push(line)
  }

  /** Stopped when the test is over. */
  static async start(config: ConfigInput): Promise<WatchedGateway> {
    const child = await GatewayChild.start({
      // Probes at the start only, so that what a host sees afterwards is the test's own.
      probe: { everyMs: 600_000 },
      log: { format: 'json' },
      ...config,
      server: { port: 0, ...config.server },
      admin: { port: 0 },
    })
    onTestFinished(() => child.stop())
    return new WatchedGateway(child)
  }

  get url(): string {
    return this.child.dataUrl
  }

  get port(): number {
    return Number(new URL(this.child.dataUrl).port)
  }

  /** Beyond those it had at its start. */
  get sockets(): number {
    return this.child.socketCount() - this.#socketsAtStart
  }

  /** End codes of the requests so far, with their status. */
  get ends(): readonly string[] {
    return this.#lines.filter((line) => line.includes('"msg":"request"')).map(endOf)
  }

  /** Alive, and ready to take requests. */
  async expectAlive(): Promise<void> {
    const response = await within(5_000, '/healthz', fetch(`${this.url}/healthz`, { headers: { connection: 'close' } }))
    expect(response.status).toBe(200)
    await response.arrayBuffer()
  }

  /** A chat, answered as it should be. */
  async expectServed(model: string): Promise<void> {
    const client = await RawClient.open(this.port)
    const body = { model, messages: [{ role: 'user', content: 'Hello' }] }
    await client.send(jsonRequestBytes('/v1/chat/completions', body, { connection: 'close' }))
    const answer = await client.response()
    await answer.over()
    client.close()
    expect([answer.status, answer.complete]).toEqual([200, true])
  }

  /** Whatever was done to it: nothing is held, no socket is left, nothing failed inside, each request has its line. */
  async expectAtRest(ends: readonly string[]): Promise<void> {
    await within(
      10_000,
      `${ends.length} lines in the log`,
      this.#until(() => this.ends.length >= ends.length),
    )
    expect([...this.ends].toSorted()).toEqual([...ends].toSorted())
    for (const gauge of ['host_inflight', 'queue_depth', 'queue_bytes', 'open_streams']) await this.#expectZero(gauge)
    await within(
      10_000,
      'its sockets to be closed',
      this.#until(() => this.sockets <= sparseSockets),
    )
    expect(this.#lines.filter((line) => !/"level":"(?:info|warn)"/.test(line))).toEqual([])
    expect(this.child.alive).toBe(true)
  }

  async #expectZero(gauge: string): Promise<void> {
    let value = -1
    const look = async () => {
      while (value !== 0) value = sumOf(await this.child.metrics(), gauge)
    }
    await within(10_000, `${gauge} 0`, look())
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await pause(20)
  }
}

function endOf(line: string): string {
  const { status, end } = JSON.parse(line) as { status: number; end: string }
  return `${status} ${end}`
}
