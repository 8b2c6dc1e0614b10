/** A workload from a recorded trace: Azure's CSV (`TIMESTAMP,ContextTokens,GeneratedTokens`) or Mooncake's JSON lines. */
import { readFileSync } from 'node:fs'
import { capacity, m2Ultra, m4Max, unequalMacs } from './host-profile.ts'
import { type Arrival, endlessMs, personal, type Stream, type Workload } from './workload.ts'
import { randomOf } from './workloads/arrivals.ts'

/** What a trace says of one request. */
export interface Traced {
  readonly atMs: number
  readonly input: number
  readonly output: number
  /** Hashes of its beginnings, where the trace has them. */
  readonly blocks?: readonly number[]
}

export interface TraceOptions {
  /** Of what the hosts can do: the time between arrivals is stretched until it is so. */
  readonly load: number
  /** What prompts are divided by; default: 1. */
  readonly scale?: number
}

/** Neither trace says who sent what, so its requests are dealt out: the busiest key has eight times as many as the last. */
const keyShares = [8, 6, 4, 3, 2, 2, 1, 1]
const promptSigma = 0.1
/** Tokens of a block of Mooncake's. */
const blockOfTrace = 512
/** Blocks that each host keeps. */
const blocksKept = 6_000
/** A beginning that so large a part of the requests have is one of the system. */
const commonShare = 0.05

/** Throws an Error with one sentence where the file is no such trace. */
export function readTrace(path: string, requestsMax: number): Traced[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
  const lines = text.split(/\r?\n/)
  const isJson = lines[0]?.startsWith('{') === true
  if (!isJson && lines[0] !== 'TIMESTAMP,ContextTokens,GeneratedTokens') {
    throw new Error(`${path} is neither a CSV that begins with TIMESTAMP,ContextTokens,GeneratedTokens nor JSON lines.`)
  }
  const requests: Traced[] = []
  for (const [at, line] of lines.entries()) {
    if (requests.length >= requestsMax) break
    if (line === '' || (!isJson && at === 0)) continue
    const request = isJson ? fromJson(line) : fromCsv(line)
    if (request === null) throw new Error(`${path}:${at + 1} is no request of a trace: ${line.slice(0, 80)}`)
    requests.push(request)
  }
  if (requests.length < 2) throw new Error(`${path} has fewer than two requests.`)
  const startMs = requests[0]?.atMs ?? 0
  return requests.map((one) => ({ ...one, atMs: one.atMs - startMs })).toSorted((a, b) => a.atMs - b.atMs)
}

export function traceWorkload(
  recorded: readonly Traced[],
  { load, scale = 1 }: TraceOptions,
): (seed: number) => Workload {
  const requests = recorded.map((one) => ({ ...one, input: Math.max(1, Math.round(one.input / scale)) }))
  const hasBlocks = requests.some(({ blocks }) => blocks !== undefined)
  const hosts = hasBlocks ? unequalMacs.map((mac) => ({ ...mac, blocksKept })) : [m4Max, m2Ultra]
  const isCommon = commonIn(requests)
  const mean = (valueOf: (one: Traced) => number) =>
    requests.reduce((sum, one) => sum + valueOf(one), 0) / requests.length
  const input = mean((one) => one.input)
  const output = mean((one) => one.output)
  const perSecond = load * hosts.reduce((sum, host) => sum + capacity(host, input, output), 0)
  const spanMs = requests.at(-1)?.atMs ?? 0
  const stretch = spanMs === 0 ? 0 : (1000 * requests.length) / perSecond / spanMs
  const streams = keyShares.map((_share, at): Stream => {
    return { name: 'trace', key: `key${at + 1}`, class: 'default', objective: personal, patienceMs: endlessMs }
  })
  const dealt = keyShares.flatMap((share, at) => Array.from({ length: share }, () => streams[at]!))
  return (seed) => {
    const random = randomOf(seed, 0)
    const arrivals = requests.map((one): Arrival => {
      return {
        atMs: one.atMs * stretch,
        stream: dealt[Math.floor(random.next() * dealt.length)]!,
        input: one.input,
        output: one.output,
        inputExpected: random.mistaken(one.input, promptSigma),
        outputMistake: 1,
        ...(one.blocks === undefined ? {} : { blocks: one.blocks, commonBlocks: leading(one.blocks, isCommon) }),
      }
    })
    return { hosts, streams, durationMs: spanMs * stretch + 60_000, blockTokens: blockOfTrace / scale, arrivals }
  }
}

function commonIn(requests: readonly Traced[]): (block: number) => boolean {
  const counts = new Map<number, number>()
  for (const { blocks = [] } of requests) for (const block of blocks) counts.set(block, (counts.get(block) ?? 0) + 1)
  return (block) => (counts.get(block) ?? 0) >= commonShare * requests.length
}

function leading(blocks: readonly number[], is: (block: number) => boolean): number {
  const first = blocks.findIndex((block) => !is(block))
  return first < 0 ? blocks.length : first
}

function fromCsv(line: string): Traced | null {
  const [stamp = '', input, output, ...more] = line.split(',')
  // To milliseconds; the file has ten times a microsecond.
  const atMs = Date.parse(`${stamp.slice(0, 23).replace(' ', 'T')}Z`)
  return more.length > 0 ? null : traced(atMs, Number(input), Number(output))
}

function fromJson(line: string): Traced | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { timestamp, input_length, output_length, hash_ids } = value as Readonly<Record<string, unknown>>
  const request = traced(Number(timestamp), Number(input_length), Number(output_length))
  if (request === null || hash_ids === undefined) return request
  if (!Array.isArray(hash_ids) || !hash_ids.every((id) => Number.isSafeInteger(id))) return null
  // The last one is a part of a block, which a longer prompt does not begin with.
  return { ...request, blocks: hash_ids.slice(0, Math.floor(request.input / blockOfTrace)) }
}

function traced(atMs: number, input: number, output: number): Traced | null {
  if (!Number.isFinite(atMs) || !(input >= 0) || !(output >= 0)) return null
  return { atMs, input: Math.max(1, input), output: Math.max(1, output) }
}
