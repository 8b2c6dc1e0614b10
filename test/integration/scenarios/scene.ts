/** The stage of a fault or abuse scenario: a gateway before hosts of chaos, and what must hold once the play is over. */

import { setTimeout as pause } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import { expect } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { ChaosHost, type Exchange } from '../../kit/chaos-host.ts'
import type { ConfigInput } from '../../kit/config-of.ts'
import { expectUsageRecords, type HostInput, keepAliveMs } from '../../kit/fleet.ts'
import { type GatewayUnderTest, type LogLine, startGateway } from '../../kit/gateway-under-test.ts'
import { type Headers, jsonRequestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { restGauges } from '../../kit/process-end.ts'
import { promptCanary } from '../../kit/prompt-canary.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { eventually } from '../../kit/within.ts'
import { disclosuresIn } from './disclosures.ts'

export { promptCanary } from '../../kit/prompt-canary.ts'

export const model = 'm'

export interface SceneOptions {
  /** Models of each host by the host's name. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>
  /** Requests that each host takes at once; what its kind takes when absent. */
  readonly slots?: number
  /** Key that the gateway holds for every host. */
  readonly apiKey?: string
  /** What else the gateway is told of every host; its kind is `openai` unless it says otherwise. */
  readonly host?: Partial<HostInput>
  /** Bodies of further GET paths, as probes of some kinds ask for them. */
  readonly get?: Readonly<Record<string, unknown>>
  /** No connection is kept from the probes, so that the first attempt at each host comes on a new one. */
  readonly newConnections?: boolean
  readonly config?: Omit<ConfigInput, 'hosts'>
  /** The gateway's, where a test says what time it is. */
  readonly clock?: Clock
}

/** What a play must have led to. */
export interface Ending {
  /** Requests that the relay accepted: each has one line in the access log. */
  readonly requests: number
  /** Attempts that each host saw; hosts that are not named saw none. */
  readonly attempts: Readonly<Record<string, number>>
  /** What may stand in no log line and no metric, beside the prompt. */
  readonly secrets?: readonly string[]
  /** Faults of the gateway itself that were planted, and must have been told of. */
  readonly faults?: number
}

/** Plays, then holds the ending against what every scenario must leave behind. */
export async function scenario(options: SceneOptions, play: (scene: Scene) => Promise<Ending>): Promise<void> {
  const hosts = new Map<string, ChaosHost>()
  for (const [name, models] of Object.entries(options.hosts ?? { a: [model] })) {
    const { get = {}, newConnections = false } = options
    hosts.set(name, await ChaosHost.start({ models, get, closesAfterGet: newConnections }))
  }
  try {
    const config: ConfigInput = {
      hosts: [...hosts].map(([name, { url }]) => ({
        name,
        url,
        kind: 'openai',
        slots: options.slots,
        apiKey: options.apiKey,
        keepAliveMs,
        ...options.host,
      })),
      // Probes at the start only, so that what a host sees afterwards is the scenario's own.
      probe: { everyMs: 600_000 },
      ...options.config,
      // What does not fit is refused at once, so that a scene can tell of it; how it waits is told in short-deficits.test.ts.
      limits: { waitMsMax: 0, ...options.config?.limits },
    }
    const gateway = await startGateway(config, options.clock === undefined ? {} : { clock: options.clock })
    const scene = new Scene(gateway, hosts)
    try {
      const ending = await play(scene)
      await scene.expectEnding(ending)
    } finally {
      scene.leave()
      await gateway[Symbol.asyncDispose]()
    }
  } finally {
    for (const host of hosts.values()) await host.close()
  }
}

export class Scene {
  readonly gateway: GatewayUnderTest
  readonly #hosts: ReadonlyMap<string, ChaosHost>
  readonly #clients: RawClient[] = []
  readonly #answers: HttpMessage[] = []

  constructor(gateway: GatewayUnderTest, hosts: ReadonlyMap<string, ChaosHost>) {
    this.gateway = gateway
    this.#hosts = hosts
  }

  host(name = 'a'): ChaosHost {
    const host = this.#hosts.get(name)
    if (host === undefined) throw new Error(`no host ${name} in this scene`)
    return host
  }

  async connect(
    options: { bodyless?: boolean; port?: number; from?: string; tls?: ConnectionOptions } = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(options.port ?? this.gateway.port, options)
    this.#clients.push(client)
    return client
  }

  /** The next answer on the connection as soon as its head is there; it is held against its outcome at the end. */
  async answer(client: RawClient): Promise<HttpMessage> {
    const answer = await client.response()
    this.#answers.push(answer)
    return answer
  }

  /** Sends the bytes of a request and waits for the end of the answer, whole or cut. */
  async ask(request: Uint8Array | string, client?: RawClient): Promise<HttpMessage> {
    const connection = client ?? (await this.connect())
    await connection.send(request)
    const answer = await this.answer(connection)
    await answer.over()
    return answer
  }

  leave(): void {
    for (const client of this.#clients) client.close()
  }

  async expectEnding(ending: Ending): Promise<void> {
    await expectQuiet(this.gateway, ending)
    for (const [name, host] of this.#hosts) {
      expect(host.exchanges.length, `attempts at host ${name}`).toBe(ending.attempts[name] ?? 0)
    }
    for (const answer of this.#answers) {
      expectHonest(answer, this.gateway.outcomes())
      this.#expectRelayed(answer)
    }
    await this.#expectNoConnections()
  }

  /**
   * While the gateway runs and its clients are there: those that may be used again are closed by themselves in a
   * moment, and one whose answer failed, or was left, would otherwise stay until its host ends it.
   */
  async #expectNoConnections(): Promise<void> {
    for (const [name, host] of this.#hosts) {
      // Where nothing was asked there are none but those of the probes.
      if (host.exchanges.length === 0) continue
      await eventually(5_000, `every connection to host ${name} to be closed`, () => host.connectionsOpen === 0)
      const last = new Map(host.exchanges.map((exchange) => [exchange.connection, exchange]))
      for (const exchange of host.exchanges) {
        if (last.get(exchange.connection) === exchange) continue
        expect(exchange.written.whole, 'whether a connection was used again only behind a whole answer').toBe(true)
      }
    }
  }

  /** Nothing was sent that the host which answered last did not send, and nothing of it was left out in between. */
  #expectRelayed(answer: HttpMessage): void {
    const id = answer.header('x-request-id')
    const asked = ({ request }: Exchange) => request?.header('x-request-id') === id
    const attempts = [...this.#hosts.values()].flatMap(({ exchanges }) => exchanges.filter(asked))
    const attempt = attempts.toSorted((a, b) => (a.request?.headAtMs ?? 0) - (b.request?.headAtMs ?? 0)).at(-1)
    if (attempt === undefined) return
    if (!isStream(answer) || attempt.written.isStream !== true) return
    const [came, sent] = [answer.text, attempt.written.text].map(relayedPart)
    if (came === undefined || sent === undefined) return
    const isPart = sent.startsWith(came) || (attempt.written.cut && came.startsWith(sent))
    if (!isPart) expect(came, 'what came must be the beginning of what the host sent').toBe(sent)
  }
}

/** Nothing is held any more, every request has its one line, nothing failed inside, and no secret got out. */
export async function expectQuiet(gateway: GatewayUnderTest, ending: Pick<Ending, 'requests' | 'secrets' | 'faults'>) {
  await gateway.outcomesOnce(ending.requests)
  for (const gauge of restGauges) await expectZero(gateway, gauge)
  expect(gateway.outcomes()).toHaveLength(ending.requests)
  expectUsageRecords(gateway)
  const errors = gateway.log.filter(({ level }) => level === 'error')
  if (errors.length !== (ending.faults ?? 0)) expect(errors).toEqual([])
  const sinks = JSON.stringify(gateway.log) + (await gateway.metrics())
  for (const secret of [promptCanary, ...(ending.secrets ?? [])]) expect(sinks).not.toContain(secret)
}

/** A host may still have to be told of an end that the client knows already. */
async function expectZero(gateway: GatewayUnderTest, gauge: string): Promise<void> {
  const endsAt = performance.now() + 5_000
  let value = await gateway.sum(gauge)
  while (value !== 0 && performance.now() < endsAt) {
    await pause(5)
    value = await gateway.sum(gauge)
  }
  expect(value, gauge).toBe(0)
}

/** The end of a whole stream, in each dialect. */
const lastMark = /(?:data: \[DONE\]|event: (?:message_stop|response\.completed|response\.incomplete)\ndata: .*)\n\n$/

const isStream = (answer: HttpMessage) => answer.header('content-type')?.startsWith('text/event-stream') === true

/** Less what is the gateway's own: its error frame, its mark of the end, its heartbeats, and usage that only it asked for. */
function relayedPart(text: string): string {
  return text
    .replace(/(?:event: error\n)?data: \{(?:"type":"error",)?"error":.*\}\n\n$/, '')
    .replaceAll(done, '')
    .replace(/^\uFEFF/, '')
    .replaceAll(
      /^(?:: waiting\n|: lmx-gateway(?:-receipt)? .*\n\n|data: \{"id":"(?:chat)?cmpl-waiting",.*\}\n\n|event: ping\ndata: .*\n\n)/gm,
      '',
    )
    .replaceAll(/^data: \{.*"choices": ?\[\].*\}\n\n/gm, '')
}

/** Nothing incomplete looks complete. */
function expectHonest(answer: HttpMessage, outcomes: readonly LogLine[]): void {
  expectDiscreet(answer)
  const id = answer.header('x-request-id')
  const outcome = outcomes.find(({ fields }) => fields['requestId'] === id)
  // Of an answer that its reader left, it alone knows how much came.
  if (outcome === undefined || outcome.fields['status'] === 499) return
  expect(answer.status).toBe(outcome.fields['status'])
  const streamed = isStream(answer)
  if (answer.status < 300) {
    const looksWhole = answer.complete && (!streamed || lastMark.test(answer.text))
    expect(looksWhole, `whether ${id} looks whole`).toBe(outcome.fields['end'] === '--')
  } else expect(answer.complete, `whether the error for ${id} is whole`).toBe(true)
}

/** Errors name no address, path, stack or version (X31). */
function expectDiscreet({ status, text }: HttpMessage): void {
  const error = status >= 400 ? text : (/data: \{"error":.*\}\n\n$/.exec(text)?.[0] ?? '')
  // These repeat what the client asked for.
  if (!/"code":"(?:model_)?not_found"/.test(error)) expect(disclosuresIn(error)).toEqual([])
}

/** A chat request as raw bytes. */
export function chatBytes(fields: Readonly<Record<string, unknown>> = {}, headers: Headers = {}): Buffer {
  const messages = [{ role: 'user', content: promptCanary }]
  return jsonRequestBytes('/v1/chat/completions', { model, messages, ...fields }, headers)
}

/** A whole chat answer as hosts give it. */
export function chatAnswer(content: string): string {
  const message = { role: 'assistant', content }
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
  const choices = [{ index: 0, message, finish_reason: 'stop' }]
  return JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', created: 1, model, choices, usage })
}

export function contentFrame(content: string): string {
  return chatFrame({ content }, null)
}

export const finishFrame: string = chatFrame({}, 'stop')
export const done = 'data: [DONE]\n\n'

function chatFrame(delta: Readonly<Record<string, unknown>>, finishReason: string | null): string {
  const choices = [{ index: 0, delta, finish_reason: finishReason }]
  const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: string
    readonly param: string | null
    readonly code: string
  }
}

/** The error of an answer, or of the last frame of a stream. */
export function errorOf(answer: HttpMessage): ErrorBody['error'] {
  const frame = /data: (\{"error":.*\})\n\n$/.exec(answer.text)?.[1]
  return (JSON.parse(frame ?? answer.text) as ErrorBody).error
}
