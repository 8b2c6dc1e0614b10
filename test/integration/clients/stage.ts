/** Each client library before a gateway whose host plays a script in the library's dialect, all of them at once. */

import { expect } from 'vitest'
import { type ErrorCode, errorCatalogue } from '../../../src/base/errors.ts'
import { ChaosHost, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { within } from '../../kit/within.ts'
import { expectQuiet } from '../scenarios/scene.ts'
import type { Spoken } from './answers.ts'
import type { Answered, Question, Reader } from './reader.ts'

type Config = Omit<Parameters<typeof startGateway>[0], 'hosts'>

export interface Play {
  readonly readers: readonly Reader[]
  readonly config?: Config | undefined
  readonly tools?: boolean | undefined
  /** The gateway asks for a stream where its client asked for none. */
  readonly streamUpstream?: boolean | undefined
  /** What the host answers in this dialect. */
  readonly script: (dialect: Spoken) => readonly ScriptStep[]
  /** What happens once every host was asked. */
  readonly act?: ((stage: Stage) => Promise<void>) | undefined
}

export interface Stage {
  readonly hosts: readonly ChaosHost[]
  readonly gateway: GatewayUnderTest
}

/** What each reader made of it: its answer, or the error as `codeOf` names it. */
export type Readings = Readonly<Record<string, Answered | string>>

export async function readingsOf({ readers, config, tools, streamUpstream, script, act }: Play): Promise<Readings> {
  // A host and a model for each, so that no failure of one weighs on the next.
  const modelOf = (reader: Reader) => `m${readers.indexOf(reader)}`
  const hosts = await Promise.all(readers.map((reader) => ChaosHost.start({ models: [modelOf(reader)] })))
  const gateway = await startGateway({
    hosts: hosts.map(({ url }, index) => ({
      name: `h${index}`,
      url,
      kind: 'openai',
      ...(streamUpstream === undefined ? {} : { streamUpstream }),
    })),
    probe: { everyMs: 600_000 },
    ...config,
  })
  try {
    for (const [index, { dialect }] of readers.entries()) hosts[index]?.playAlways(wholeRequest, ...script(dialect))
    const readings = Promise.all(readers.map((reader) => readingOf(reader, { gateway, model: modelOf(reader), tools })))
    await Promise.all(hosts.map((host) => host.exchange()))
    await act?.({ hosts, gateway })
    const read = Object.fromEntries(await readings)
    await gateway.outcomesOnce(readers.length)
    if (act !== drainRunsOut) await expectQuiet(gateway, { requests: readers.length })
    return read
  } finally {
    await gateway.gateway.stop({ now: true })
    await Promise.all(hosts.map((host) => host.close()))
  }
}

export async function readingOf(reader: Reader, question: Question) {
  const read = reader.read(question).catch(codeOf)
  return [reader.name, await within(10_000, `${reader.name} to come to an end`, read)] as const
}

/** Once all that the scripts sent so far has passed the gateway, they go on. */
export async function goOnInTheMiddle(stage: Stage): Promise<void> {
  await relayed(stage)
  await goOn(stage)
}

export async function goOn({ hosts }: Stage): Promise<void> {
  for (const host of hosts) await (await host.exchange()).step()
}

/** Once all that the scripts sent so far has passed the gateway, the hosts die. */
export async function hostsDie(stage: Stage): Promise<void> {
  await relayed(stage)
  await Promise.all(stage.hosts.map((host) => host.close()))
}

/** The gateway stops, and its listener for metrics with it. */
export async function drainRunsOut(stage: Stage): Promise<void> {
  await relayed(stage)
  void stage.gateway.gateway.stop()
}

async function relayed({ gateway, hosts }: Stage): Promise<void> {
  await gaugeReaches(gateway, 'tokens_total', 2 * hosts.length, { type: 'output' })
}

/** Every reader sees this error and no answer. Anthropic's errors have no code, only a type. */
export function expectErrors(readings: Readings, code: ErrorCode, status?: number): void {
  const kind = errorCatalogue[code]
  for (const [name, reading] of Object.entries(readings)) {
    const type = kind.status === 503 ? 'overloaded_error' : 'api_error'
    const told = name.startsWith('anthropic') ? type : code
    // A limit for the whole may be reached before the first content where the machine is slow.
    const inTheMiddle = [`error: ${told}`, broken, ...(code === 'upstream_timeout' ? [`error: 504 ${told}`] : [])]
    expect(status === undefined ? inTheMiddle : [`error: ${status} ${told}`], `what ${name} makes of it`).toContain(
      reading,
    )
  }
  const untold = Object.keys(readings).filter((name) => readings[name] === broken)
  expect(untold.length, `who sees no more than a break: ${untold.join('; ')}`).toBeLessThanOrEqual(1)
}

/** An answer in chunks, still open. */
export function sse(...pieces: readonly string[]): ScriptStep[] {
  return [sseHeadBytes(), ...pieces.filter((piece) => piece !== '').map(chunkBytes)]
}

/** Only that the connection broke: a library that has yet to read the error frame then may lose it, not the break. */
const broken = 'error: the connection broke'

/** How a program tells one error from another: by status and code, or by type where the dialect has no code. */
function codeOf(error: unknown): string {
  const inner = ['error', 'data', 'cause'].map((key) => field(error, key))
  const told = [...inner.map((one) => field(one, 'error')), ...inner, error]
  const status = ['status', 'statusCode'].map((key) => field(error, key)).find((value) => Number(value) >= 400)
  if (status === undefined && isBreak(error)) return broken
  const codes = ['code', 'type'].flatMap((key) => told.map((one) => field(one, key)))
  const code = codes.find((value) => typeof value === 'string') ?? String(error).slice(0, 80)
  return `error: ${typeof status === 'number' ? `${status} ` : ''}${code}`
}

function isBreak(error: unknown): boolean {
  const causes = [error, field(error, 'cause'), field(field(error, 'cause'), 'cause')]
  return causes.some((cause) => cause instanceof Error && /^terminated$|other side closed/.test(cause.message))
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
}
