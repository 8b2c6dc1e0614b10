/**
 * Holds three accounts of each request against each other: what its client saw, what the gateway's log says, what the host
 * says it sent. A request is settled once client and log are there.
 */
import type { JournalEntry } from '../kit/lmx-double/lmx-double.ts'
import type { RequestPlan } from './request-plan.ts'
import type { Verdict } from './soak-client.ts'

export interface AccessLine {
  readonly requestId: string
  readonly status: number
  readonly end: string
  readonly host: string | null
  readonly tokensIn: number
  readonly tokensOut: number
  readonly usage: string
}

export interface HostTotals {
  input: number
  output: number
  /** The part of `output` whose client left: known only to lie between what the client got and what the host sent. */
  outputOfLeavers: number
}

interface Case {
  readonly plan: RequestPlan
  verdict: Verdict | null
  line: AccessLine | null
  raw: string
  /** It began to read before it was over by the log, or may have been over without that. */
  reads: boolean
}

export type EntriesOf = (requestId: string) => ReadonlyMap<string, readonly JournalEntry[]>

export class Ledger {
  readonly #entriesOf: EntriesOf
  readonly #open = new Map<string, Case>()
  readonly #lines = new Set<string>()
  readonly totals = new Map<string, HostTotals>()
  readonly verdicts = new Map<string, number>()
  readonly violations: string[] = []
  begun = 0
  settled = 0

  constructor(entriesOf: EntriesOf) {
    this.#entriesOf = entriesOf
  }

  get unsettled(): readonly string[] {
    return [...this.#open.values()].map(({ plan, verdict, line }) => {
      const missing = [verdict === null ? 'an end for its client' : '', line === null ? 'an access-log line' : '']
      return `${plan.id} (${plan.path}${plan.stream ? ', streamed' : ''}, ${verdict?.kind ?? 'open'}) is without ${missing.filter(Boolean).join(' and ')}`
    })
  }

  begin(plan: RequestPlan): void {
    this.begun += 1
    this.#open.set(plan.id, {
      plan,
      verdict: null,
      line: null,
      raw: '',
      reads: !plan.readsLate || plan.flood !== 'over',
    })
  }

  /** A client that reads late does not wait any longer. */
  reads(plan: RequestPlan): void {
    const one = this.#open.get(plan.id)
    if (one !== undefined) one.reads = true
  }

  ended(plan: RequestPlan, verdict: Verdict): void {
    const one = this.#open.get(plan.id)
    if (one === undefined) return
    one.verdict = verdict
    this.#count(verdict)
    this.#settle(one)
  }

  logged(line: AccessLine, raw: string): void {
    if (!line.requestId.startsWith('soak-')) return
    if (this.#lines.has(line.requestId)) this.violations.push(`${line.requestId} has two access-log lines: ${raw}`)
    this.#lines.add(line.requestId)
    const one = this.#open.get(line.requestId)
    if (one === undefined) return
    one.line = line
    one.raw = raw
    this.#settle(one)
  }

  #count({ kind, detail }: Verdict): void {
    const name = detail === '' ? kind : `${kind} ${detail}`
    this.verdicts.set(name, (this.verdicts.get(name) ?? 0) + 1)
  }

  #settle({ plan, verdict, line, raw, reads }: Case): void {
    if (verdict === null || line === null) return
    this.#open.delete(plan.id)
    this.settled += 1
    const entries = this.#entriesOf(plan.id)
    const entry = line.host === null ? undefined : entries.get(line.host)?.at(-1)
    const early = !reads && line.end === '--' ? 'ended well in the log, and its client had taken nothing' : null
    const problem = early ?? problemOf(plan, verdict, line, entry)
    if (problem !== null) this.violations.push(`${plan.id}: ${problem}; client ${JSON.stringify(verdict)}; log ${raw}`)
    if (line.host !== null) this.#add(line.host, verdict, line, entry)
  }

  /** By the hosts' own count where the answer is whole, by the client's where it broke, and by the log's where it left or did not read. */
  #add(host: string, verdict: Verdict, line: AccessLine, entry: JournalEntry | undefined): void {
    const totals = this.totals.get(host) ?? { input: 0, output: 0, outputOfLeavers: 0 }
    this.totals.set(host, totals)
    const reported = line.usage === 'reported'
    if (verdict.kind === 'complete') {
      totals.output += entry?.tokens ?? 0
      // Of what no host reported, the prompt counts by its size.
      totals.input += reported ? (entry?.promptTokens ?? 0) : line.tokensIn
      return
    }
    totals.input += line.tokensIn
    const byLog = verdict.kind === 'left' || verdict.kind === 'stalled'
    totals.output += byLog ? line.tokensOut : verdict.contentFrames
    if (byLog) totals.outputOfLeavers += line.tokensOut
  }
}

function problemOf(
  plan: RequestPlan,
  verdict: Verdict,
  line: AccessLine,
  entry: JournalEntry | undefined,
): string | null {
  const frames = verdict.contentFrames
  const sent = entry?.tokens ?? 0
  switch (verdict.kind) {
    case 'wrong':
      return `neither whole nor told an error: ${verdict.detail}`
    case 'complete':
      if (line.status !== 200 || line.end !== '--') return 'whole for its client, and not in the log'
      if (plan.stream && frames !== sent) return `${frames} frames of ${sent} arrived, and it looks whole`
      return line.tokensOut === sent ? null : `${line.tokensOut} tokens in the log, the host sent ${sent}`
    case 'refused':
      if (line.status !== verdict.status) return 'another status in the log'
      return line.tokensOut === 0 && line.end !== '--' ? null : 'refused, and tokens or a good end in the log'
    case 'broken':
      if (line.end === '--') return 'broken for its client, and not in the log'
      if (line.tokensOut !== frames) return `${line.tokensOut} tokens in the log, the client got ${frames}`
      return frames <= sent ? null : `the client got ${frames} frames of ${sent}`
    case 'stalled':
      // What broke at its host meanwhile comes to an end that it does not read either.
      if (!line.end.startsWith('c') && (line.end === '--' || (entry?.endedBy !== 'fault' && entry?.killed !== true)))
        return 'cut, and not too slow in the log'
      return inOrder(frames, line.tokensOut, sent)
    default:
      return inOrder(frames, line.tokensOut, sent)
  }
}

function inOrder(got: number, logged: number, sent: number): string | null {
  return got <= logged && logged <= sent ? null : `not in order: client ${got}, log ${logged}, host ${sent}`
}
