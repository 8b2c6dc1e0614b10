/** Rows of the ledger as values to bind. No value may ever be refused, or its row would hold up all that follow. */
import type { AdmittedRequest, RequestFigures, SettledRequest } from '../metering/ledger-store.ts'

/** What clients and hosts name is cut here; no name that is in use is as long. */
const textCharsMax = 512

export function admittedValues(request: AdmittedRequest) {
  return {
    id: text(request.id),
    requestId: text(request.requestId),
    keyId: textOrNull(request.keyId),
    keyName: text(request.keyName),
    team: textOrNull(request.team),
    endpoint: text(request.endpoint),
    model: text(request.model),
    stream: request.stream ? 1 : 0,
    startedAtMs: whole(request.startedAtMs),
  }
}

export function figureValues(figures: RequestFigures, settled: SettledRequest | null) {
  return {
    host: textOrNull(figures.host),
    input: whole(figures.input),
    cachedInput: whole(figures.cachedInput),
    output: whole(figures.output),
    reasoning: whole(figures.reasoning),
    inputSource: text(figures.inputSource),
    outputSource: text(figures.outputSource),
    endedAtMs: wholeOrNull(settled?.endedAtMs),
    durationMs: wholeOrNull(settled?.durationMs),
    queueWaitMs: wholeOrNull(settled?.queueWaitMs),
    ttftMs: wholeOrNull(settled?.ttftMs),
    attempts: wholeOrNull(settled?.attempts),
    status: wholeOrNull(settled?.status),
    end: textOrNull(settled?.end),
    errorCode: textOrNull(settled?.errorCode),
    costNanos: wholeOrNull(figures.costNanos),
  }
}

const text = (value: string): string => value.slice(0, textCharsMax)
const textOrNull = (value: string | null | undefined): string | null => (value == null ? null : text(value))

/** Beyond 2^53 a number stands for its neighbours too, and could not be read back. */
function whole(value: number): number {
  if (!(value > 0)) return 0
  return Math.min(Math.round(value), Number.MAX_SAFE_INTEGER)
}

const wholeOrNull = (value: number | null | undefined): number | null => (value == null ? null : whole(value))
