/** The goals of the design, each with what was measured of it: one table, so that nobody looks for them in those of the parts. */
import type { Row } from './parts/part.ts'

interface Goal {
  readonly name: string
  readonly part: string
  /** Of the figures of that part. */
  readonly figure: RegExp
}

/** In the words and the order of performance.md, 5.3. */
const goals: readonly Goal[] = [
  { name: 'added TTFT, c = 1, p50', part: 'requests', figure: /first token, one at a time, p50/ },
  { name: 'added TTFT, c = 1, p99', part: 'requests', figure: /first token, one at a time, p99/ },
  { name: 'added TTFT at 60 % of one core, p50', part: 'requests', figure: /first token, at 60 %.*p50/ },
  { name: 'added TTFT at 60 % of one core, p99', part: 'requests', figure: /first token, at 60 %.*p99/ },
  { name: 'added one-way delay per token, c = 1, p50', part: 'tokens', figure: /way of a token, one stream, p50/ },
  { name: 'added one-way delay per token, c = 1, p99', part: 'tokens', figure: /way of a token, one stream, p99/ },
  { name: 'same, bursts at 60 % load, p99', part: 'tokens', figure: /way of a token, bursts/ },
  { name: 'CPU per token', part: 'tokens', figure: /^CPU a token, \d/ },
  { name: 'streamed chunks/s per core', part: 'ceilings', figure: /tokens\/s of a core, 99 % within 10 ms/ },
  { name: 'non-stream CPU per request', part: 'requests', figure: /^CPU a request/ },
  { name: 'requests/s per core', part: 'ceilings', figure: /^requests\/s/ },
  { name: 'RSS idle', part: 'idle', figure: /^memory at rest/ },
  { name: 'RSS per 1,000 idle streams', part: 'idle', figure: /1,000 silent streams/ },
  { name: 'cold start to listening', part: 'cold-start', figure: /until it listens$/ },
  { name: 'cold start to first relayed byte', part: 'cold-start', figure: /first answer has come$/ },
  { name: 'event-loop block, with scrapes', part: 'scrapes', figure: /^longest turn: scrapes/ },
  { name: 'queue: add + pop', part: 'line', figure: /^line: add and take, \d+ waiting/ },
  { name: 'queue: abort', part: 'line', figure: /^line: leave, \d+ waiting/ },
]

type Parts = readonly { readonly name: string; readonly rows: readonly Row[] }[]

/** A row for each figure that a goal speaks of. */
export function goalRows(parts: Parts): readonly Row[] {
  return goals.flatMap((goal) => {
    const found = rowsOf(goal, parts)
    return found.map(({ note: ofPart, ...row }) => ({
      ...row,
      figure: found.length === 1 ? goal.name : `${goal.name} (${row.figure})`,
      // Other notes stand beside the figure in its part.
      ...(ofPart?.includes('left out') === true ? { note: ofPart } : {}),
    }))
  })
}

/** Goals of which nothing was measured, each with the part that would. */
export function goalsLeftOut(parts: Parts): readonly string[] {
  return goals.filter((goal) => rowsOf(goal, parts).length === 0).map(({ name, part }) => `${name} (${part})`)
}

function rowsOf({ part, figure }: Goal, parts: Parts): readonly Row[] {
  const rows = parts.find(({ name }) => name === part)?.rows ?? []
  return rows.filter((row) => figure.test(row.figure))
}
