/** What a process of the gateway must leave behind, whatever was done to it: by its metrics, and by all that it wrote. */
import { expect } from 'vitest'
import { sumOf } from '../soak/exposition.ts'
import { promptCanary } from './prompt-canary.ts'

export type LogEntry = Readonly<Record<string, unknown>>

export interface ProcessEnd {
  /** Requests that the relay accepted: each has one line in the access log, under an id of its own. */
  readonly requests: number
  /** Lines of the log that nobody read, and that were counted. */
  readonly dropped?: number
  /** Faults of the gateway itself that were planted, and must have been told of. */
  readonly faults?: number
  /** What may stand nowhere, beside the prompt. */
  readonly secrets?: readonly string[]
}

export interface ProcessOutput {
  /** Its metrics once it was at rest; absent where it has ended. */
  readonly page?: string
  readonly out: string
  /** Its log, in JSON, and whatever else it wrote there. */
  readonly err: string
}

/** What is held while a request runs. */
export const restGauges = ['host_inflight', 'host_zombie_slots', 'queue_depth', 'queue_bytes', 'open_streams'] as const

/** Nothing is held any more, every request was told and metered once, nothing failed inside, and no secret got out. */
export function expectSoundEnd({ page, out, err }: ProcessOutput, end: ProcessEnd): void {
  const { requests, dropped = 0, faults = 0, secrets = [] } = end
  const lines = wholeLines(err)
  const unread = lines.filter((line) => !line.startsWith('{'))
  // Node's warnings (a promise that nobody holds, too many listeners) and stacks would be among them.
  expect(unread, 'what is no line of the log').toEqual([])
  const log = entriesOf(err)
  const outcomes = log.filter(({ msg }) => msg === 'request')
  const ids = new Set(outcomes.map(({ requestId }) => requestId))
  const lost = requests - outcomes.length
  expect(ids.size, 'ids of requests in the log').toBe(outcomes.length)
  if (dropped === 0) expect(outcomes, 'lines of requests').toHaveLength(requests)
  else expect(lost >= 0 && lost <= dropped, `whether ${lost} lost lines are among ${dropped} dropped ones`).toBe(true)
  const errors = log.filter(({ level }) => level === 'error')
  if (errors.length !== faults) expect(errors, 'faults of the gateway itself').toEqual([])
  if (page !== undefined) expectMetrics(page, { requests, lost, outcomes })
  for (const [sink, text] of Object.entries({ stdout: out, stderr: err, metrics: page ?? '' })) {
    expect(text, sink).not.toMatch(/unhandledRejection|MaxListenersExceededWarning|\n\s+at \S.*:\d+:\d+|\\n\s+at \S/)
    for (const secret of [promptCanary, ...secrets]) expect(text.includes(secret), `${secret} in ${sink}`).toBe(false)
  }
}

/** Whole lines of a log, as objects. */
export function entriesOf(err: string): readonly LogEntry[] {
  return wholeLines(err)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogEntry)
}

function wholeLines(text: string): readonly string[] {
  return text.split('\n').slice(0, -1)
}

interface Told {
  readonly requests: number
  readonly lost: number
  readonly outcomes: readonly LogEntry[]
}

/** The counters say what the log says, but for the lines that were lost. */
function expectMetrics(page: string, { requests, lost, outcomes }: Told): void {
  for (const gauge of restGauges) expect(sumOf(page, gauge), gauge).toBe(0)
  expect(sumOf(page, 'requests_total'), 'requests_total').toBe(requests)
  const metered = outcomes.filter(({ usage, host, end }) => usage !== 'none' && host !== null && end === '--')
  const sum = (field: string) => outcomes.reduce((total, line) => total + Number(line[field] ?? 0), 0)
  const [use, tokensOut, tokensIn] = [
    sumOf(page, 'usage_source_total') - metered.length,
    sumOf(page, 'tokens_total', { type: 'output' }) - sum('tokensOut'),
    sumOf(page, 'tokens_total', { type: 'input' }) - sum('tokensIn'),
  ]
  if (lost === 0)
    expect({ use, tokensOut, tokensIn }, 'metered beyond the log').toEqual({ use: 0, tokensOut: 0, tokensIn: 0 })
  else expect(Math.min(use, tokensOut, tokensIn), 'metered beyond the log').toBeGreaterThanOrEqual(0)
}
