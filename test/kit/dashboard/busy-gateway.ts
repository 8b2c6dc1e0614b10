/** A gateway at work in every way that a board shows: hosts well and ill, keys of each class, limits that are met, clients of all sorts. */

import { setTimeout as pause } from 'node:timers/promises'
import { type GatewayUnderTest, startGateway } from '../gateway-under-test.ts'
import { startStub } from '../kind-servers/stub-server.ts'
import { vllmStub } from '../kind-servers/vllm.ts'
import { faultMarker } from '../lmx-double/faults.ts'
import { type LmxDouble, type LmxDoubleOptions, startLmxDouble } from '../lmx-double/lmx-double.ts'
import { loadedInTurns, startLoadingHost } from './loading-host.ts'

export const model = 'org/stub-a'
/** Only the host that is ill has it. */
const rareModel = 'org/stub-b'
const cost = { ttftMs: 40, decodeTokensPerSecond: 200 }
const well: LmxDoubleOptions = { models: [model], slots: 2, answerTokens: 20, cost }
/** Answers its probes and drops every request. */
const ill: LmxDoubleOptions = { models: [model, rareModel], slots: 1, faults: { emptyReply: true } }

export interface BusyGateway {
  readonly gateway: GatewayUnderTest
  /** By the name of the host. */
  readonly doubles: ReadonlyMap<string, LmxDouble>
  stop(): Promise<void>
}

export async function startBusyGateway(): Promise<BusyGateway> {
  const doubles = new Map<string, LmxDouble>()
  for (const [name, options] of [
    ['studio', well],
    ['mini', well],
    ['attic', ill],
  ] as const) {
    doubles.set(name, await startLmxDouble(options))
  }
  const loading = await startLoadingHost()
  const gpu = await startStub(vllmStub)
  const gateway = await startGateway({
    hosts: [
      // Whole answers of one host are read as streams, so that what is lost of them can be counted.
      ...Array.from(doubles, ([name, { url }]) => ({
        name,
        url,
        streamUpstream: name === 'mini',
        // Opens what it says of its memory and its own line.
        adminKey: 'admin',
      })),
      { name: 'pc', url: loading.url, kind: 'ollama' },
      // Nobody asks for its model; it says how full its cache is.
      { name: 'gpu', url: gpu.url, kind: 'vllm' },
    ],
    models: { residency: { keepMsMin: 100, loadMsDefault: 150, loadShareMax: 0.9, loadsPerHourMax: 10_000 } },
    probe: { everyMs: 200 },
    // Some streams miss their objectives, some of their gaps are stalls, and the guest is admitted after a wait.
    slo: { timeToFirstTokenMsMax: 150 },
    metrics: { stallMs: 100 },
    limits: { waitMsMax: 2_000 },
  })
  const keys: Keys = {
    person: await gateway.createKey({ name: 'person', class: 'interactive' }),
    program: await gateway.createKey({ name: 'program' }),
    night: await gateway.createKey({ name: 'night', class: 'bulk' }),
    guest: await gateway.createKey({
      name: 'guest',
      class: 'interactive',
      // Ten at once, and then one each 1.5 s.
      limits: { concurrentRequests: 1, requestsPerMinute: 40, tokensPerMinute: 1_000_000 },
    }),
  }
  const stopped = new AbortController()
  const running = clients.map(async (client) => {
    while (!stopped.signal.aborted) await ask(gateway.url, client, keys[client.key].key, stopped.signal)
  })
  return {
    gateway,
    doubles,
    async stop() {
      stopped.abort()
      await Promise.all(running)
      await gateway[Symbol.asyncDispose]()
      for (const double of [...doubles.values(), loading]) await double.stop()
      await gpu.close()
    },
  }
}

type Keys = Readonly<Record<'person' | 'program' | 'night' | 'guest', { readonly key: string }>>

interface Client {
  readonly key: keyof Keys
  readonly stream?: boolean
  readonly model?: string
  readonly fault?: Parameters<typeof faultMarker>[0]
  readonly leavesAfterMs?: number
}

/** More than the four slots, so that some wait. */
const clients: readonly Client[] = [
  { key: 'person' },
  { key: 'person' },
  { key: 'person', stream: false },
  { key: 'program' },
  { key: 'program', stream: false },
  { key: 'program', leavesAfterMs: 150 },
  { key: 'program', fault: { internalError: true } },
  { key: 'program', fault: { stallAfterTokens: 5, stallMs: 200 } },
  { key: 'program', fault: { cutAfterTokens: 5 } },
  { key: 'program', stream: false, fault: { cutAfterTokens: 5 } },
  { key: 'program', model: rareModel },
  // One at a time fits into the memory of their host.
  ...loadedInTurns.map((name) => ({ key: 'program', model: name }) as const),
  { key: 'program', model: 'invented/by-a-client' },
  // Has its slot for long without any content: it gives it back to a person.
  { key: 'night', fault: { stallBeforeContent: 400 } },
  { key: 'night', fault: { stallBeforeContent: 400 } },
  { key: 'guest' },
  { key: 'guest' },
  { key: 'guest' },
]

async function ask(url: string, client: Client, key: string, stopped: AbortSignal): Promise<void> {
  const { stream = true, fault, leavesAfterMs } = client
  const content = fault === undefined ? 'Tell me a story.' : faultMarker(fault)
  const body = JSON.stringify({ model: client.model ?? model, stream, messages: [{ role: 'user', content }] })
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` }
  const leaves = leavesAfterMs === undefined ? [] : [AbortSignal.timeout(leavesAfterMs)]
  const signal = AbortSignal.any([stopped, ...leaves])
  try {
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body, signal })
    await response.text()
    if (!response.ok) await pause(200, undefined, { signal })
  } catch (error) {
    // Leaving, and answers that a host breaks off, are what some clients are for; anything else is a fault of the gateway.
    if (!signal.aborted && fault?.cutAfterTokens === undefined) throw error
  }
}
