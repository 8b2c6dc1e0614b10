/** The clients of the benchmark, a process of its own on bare sockets: sends what it is told to, and measures what arrives. */
import { setTimeout as pause } from 'node:timers/promises'
import { SeededRandom } from '../../soak/seeded-random.ts'
import { type Asked, Client, type Listener } from './client.ts'
import { DelayRecord } from './delay-record.ts'
import type {
  Address,
  Arrivals,
  ClosedLoopOrder,
  LoadOrder,
  OpenLoopOrder,
  PairArrivals,
  PairsOrder,
  StreamsOrder,
} from './load-order.ts'
import { atEach } from './metronome.ts'
import { requestOf } from './request-bytes.ts'
import { nowNs } from './token-event.ts'

/** Until the first request of an open loop is due, so that whoever waits for its moment is there. */
const aheadNs = 50e6
const streamBodyBytes = 2_048

class Recording {
  readonly #beganNs = nowNs()
  readonly oneWay = new DelayRecord()
  readonly gap = new DelayRecord()
  readonly first = new DelayRecord()
  readonly late = new DelayRecord()
  tokens = 0
  answers = 0
  reads = 0

  get arrivals(): Arrivals {
    return {
      tookMs: (nowNs() - this.#beganNs) / 1e6,
      tokens: this.tokens,
      answers: this.answers,
      reads: this.reads,
      oneWay: this.oneWay.delays,
      gap: this.gap.delays,
      first: this.first.delays,
      late: this.late.delays,
      failures: takeFailures(),
    }
  }
}

let record = new Recording()
let failures: { [words: string]: number } = {}
/** Connections that may be asked, by their port. */
const idle = new Map<number, Client[]>()
/** Of the streams that were opened. */
const open = new Set<Running>()

process.on('message', (order: LoadOrder) => void obey(order).then((answer) => process.send?.(answer)))
process.on('disconnect', () => process.exit(0))

function obey(order: LoadOrder): Promise<Arrivals | PairArrivals> {
  switch (order.ask) {
    case 'open streams':
      return openStreams(order)
    case 'window':
      return fresh(() => pause(order.ms))
    case 'end streams':
      return endStreams(order.leave)
    case 'open loop':
      return fresh(() => openLoop(order))
    case 'closed loop':
      return fresh(() => closedLoop(order))
    case 'pairs':
      return pairs(order)
  }
}

async function fresh(work: () => Promise<unknown>): Promise<Arrivals> {
  record = new Recording()
  await work()
  return record.arrivals
}

/** One request, from the moment at which it is due. */
class Running implements Listener {
  readonly client: Client
  readonly begun: Promise<void>
  readonly over: Promise<void>
  /** Null: with all others. */
  readonly #first: DelayRecord | null
  readonly #dueNs: number
  readonly #isStream: boolean
  #hasBegun!: () => void
  #isOver!: () => void
  #lastNs = 0

  constructor(port: number, asked: Asked, dueNs: number, first: DelayRecord | null = null) {
    this.#dueNs = dueNs
    this.#isStream = asked.tokens !== null
    this.#first = first
    this.begun = new Promise((resolve) => (this.#hasBegun = resolve))
    this.over = new Promise((resolve) => (this.#isOver = resolve))
    this.client = clientOf(port)
    this.client.ask(asked, this)
  }

  token(stampNs: number, atNs: number): void {
    record.tokens++
    record.oneWay.record(atNs - stampNs)
    if (this.#lastNs === 0) {
      ;(this.#first ?? record.first).record(atNs - this.#dueNs)
      this.#hasBegun()
    } else record.gap.record(atNs - this.#lastNs)
    this.#lastNs = atNs
  }

  read(): void {
    record.reads++
  }

  ended(problem: string | null): void {
    if (problem !== null) failures[problem] = (failures[problem] ?? 0) + 1
    else if (!this.#isStream) (this.#first ?? record.first).record(nowNs() - this.#dueNs)
    record.answers++
    open.delete(this)
    this.#hasBegun()
    this.#isOver()
  }
}

async function openStreams({ streams, tokens, withinMs, ...to }: StreamsOrder): Promise<Arrivals> {
  const asked = askedOf(to, 'stream', tokens, streamBodyBytes)
  const port = portOf(to)
  const began = Array.from({ length: streams }, async (_, at) => {
    if (withinMs > 0) await pause((at * withinMs) / streams)
    const running = new Running(port, asked, nowNs())
    open.add(running)
    await running.begun
  })
  await Promise.all(began)
  return record.arrivals
}

async function endStreams(leave: number | null): Promise<Arrivals> {
  if (leave === null) await Promise.all([...open].map(({ over }) => over))
  else {
    for (const running of [...open].slice(0, leave)) {
      running.client.leave()
      open.delete(running)
    }
  }
  return record.arrivals
}

async function openLoop({ kind, perSecond, schedule, forMs, tokens, seed, bodyBytes, ...to }: OpenLoopOrder) {
  const random = new SeededRandom(seed)
  const dueNs: number[] = []
  const beginsNs = nowNs() + aheadNs
  for (let atMs = 0; atMs < forMs; ) {
    dueNs.push(beginsNs + atMs * 1e6)
    atMs += schedule === 'fixed' ? 1_000 / perSecond : random.gapMs(perSecond)
  }
  const asked = askedOf(to, kind, tokens, bodyBytes)
  const port = portOf(to)
  const over: Promise<void>[] = []
  await atEach(Float64Array.from(dueNs), (index) => {
    record.late.record(nowNs() - dueNs[index]!)
    over.push(new Running(port, asked, dueNs[index]!).over)
  })
  await Promise.all(over)
}

async function closedLoop({ kind, requests, clients, tokens, bodyBytes, ...to }: ClosedLoopOrder): Promise<void> {
  const asked = askedOf(to, kind, tokens, bodyBytes)
  const port = portOf(to)
  let begun = 0
  const client = async () => {
    while (begun++ < requests) await new Running(port, asked, nowNs()).over
  }
  await Promise.all(Array.from({ length: clients }, client))
}

async function pairs({ one, other, kind, pairs: count, tokens }: PairsOrder): Promise<PairArrivals> {
  const sides = [one, other].map((to) => ({
    asked: askedOf(to, kind, tokens, streamBodyBytes),
    port: portOf(to),
    first: new DelayRecord(),
  }))
  for (let pair = 0; pair < count; pair++) {
    for (const { asked, port, first } of sides) await new Running(port, asked, nowNs(), first).over
  }
  return { one: sides[0]!.first.delays, other: sides[1]!.first.delays, failures: takeFailures() }
}

function clientOf(port: number): Client {
  const free = idle.get(port) ?? []
  idle.set(port, free)
  for (let client = free.pop(); client !== undefined; client = free.pop()) if (!client.isClosed) return client
  return new Client(port, (client) => free.push(client))
}

function askedOf(to: Address, kind: 'stream' | 'request', tokens: number, bodyBytes: number): Asked {
  const request = requestOf(to, { isStream: kind === 'stream', tokens, bodyBytes })
  return { request, tokens: kind === 'stream' ? tokens : null }
}

function portOf({ url }: Address): number {
  return Number(new URL(url).port)
}

function takeFailures(): Readonly<Record<string, number>> {
  const taken = failures
  failures = {}
  return taken
}
