/** Rows of the ledger as values to bind, in the order of their columns. No value may ever be refused, or its row would hold up all that follow. */
import type { AdmittedRequest, RequestFigures, SettledRequest } from '../metering/ledger-store.ts'

/** What clients and hosts name is cut here; no name that is in use is as long. */
const textCharsMax = 512

type Value = string | number | null

/** id, request_id, key_id, key_name, team, endpoint, model, stream, started_at_ms. */
export function admittedValues(request: AdmittedRequest): Value[] {
  return [
    text(request.id),
    text(request.requestId),
    textOrNull(request.keyId),
    text(request.keyName),
    textOrNull(request.team),
    text(request.endpoint),
    text(request.model),
    request.stream ? 1 : 0,
    whole(request.startedAtMs),
  ]
}

/**
 * host, input, cached_input, output, reasoning, input_source, output_source, ended_at_ms, duration_ms, queue_wait_ms,
 * ttft_ms, attempts, status, end, error_code, cost_nanos.
 */
export function figureValues(figures: RequestFigures, settled: SettledRequest | null): Value[] {
  return [
    textOrNull(figures.host),
    whole(figures.input),
    whole(figures.cachedInput),
    whole(figures.output),
    whole(figures.reasoning),
    text(figures.inputSource),
    text(figures.outputSource),
    wholeOrNull(settled?.endedAtMs),
    wholeOrNull(settled?.durationMs),
    wholeOrNull(settled?.queueWaitMs),
    wholeOrNull(settled?.ttftMs),
    wholeOrNull(settled?.attempts),
    wholeOrNull(settled?.status),
    textOrNull(settled?.end),
    textOrNull(settled?.errorCode),
    wholeOrNull(figures.costNanos),
  ]
}

const text = (value: string): string => value.slice(0, textCharsMax)
const textOrNull = (value: string | null | undefined): string | null => (value == null ? null : text(value))

/** Beyond 2^53 a number stands for its neighbours too, and could not be read back. */
function whole(value: number): number {
  if (!(value > 0)) return 0
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER)
}

const wholeOrNull = (value: number | null | undefined): number | null => (value == null ? null : whole(value))

export type TakenValue = Value

/** Of another gateway: values in the order of both lists above; null where that is not what they are. A later version may have more. */
export function takenValues(row: unknown): Value[] | null {
  if (!Array.isArray(row) || row.length < columns.length) return null
  const values: Value[] = []
  for (const [at, kind] of columns.entries()) {
    const value: unknown = row[at]
    if (value === null && kind.endsWith('OrNull')) values.push(null)
    else if (typeof value === 'string' && kind.startsWith('text')) values.push(text(value))
    else if (typeof value === 'number' && kind.startsWith('whole')) values.push(whole(value))
    else return null
  }
  return values
}

type Kind = 'text' | 'textOrNull' | 'whole' | 'wholeOrNull'

const columns: readonly Kind[] = [
  ...(['text', 'text', 'textOrNull', 'text', 'textOrNull', 'text', 'text', 'whole', 'whole'] as const),
  ...(['textOrNull', 'whole', 'whole', 'whole', 'whole', 'text', 'text'] as const),
  ...(['wholeOrNull', 'wholeOrNull', 'wholeOrNull', 'wholeOrNull', 'wholeOrNull', 'wholeOrNull'] as const),
  ...(['textOrNull', 'textOrNull', 'wholeOrNull'] as const),
]
