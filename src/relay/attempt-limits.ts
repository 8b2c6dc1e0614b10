/** How long an attempt may take in each phase: by the form of the answer, the length of the prompt, and what the host must load. */
import type { Clocks } from '../hosts/clocks.ts'
import type { Lease } from '../queue/lease.ts'
import type { RequestBody } from '../wire/request-body.ts'

export interface AttemptLimits {
  readonly connectMsMax: number
  readonly sendMsMax: number
  /** Null for an answer that shows no content until it is whole. */
  readonly firstContentMsMax: number | null
  readonly contentGapMsMax: number
  readonly frameMsMax: number
  readonly totalMsMax: number
}

/** The longest wait for first content that a prompt can bring about, loading apart. */
const firstContentMsCap = 600_000
/** Close enough for a limit; a JSON body is longer than its text, which errs on the patient side. */
const bytesPerToken = 4

export interface LimitedAttempt {
  readonly lease: Lease
  readonly clocks: Clocks
  readonly showsContent: boolean
  /** The client gets it as a stream, so it may take as long as one. */
  readonly streamed: boolean
}

export function attemptLimits(body: RequestBody, attempt: LimitedAttempt): AttemptLimits {
  const { lease, clocks, showsContent, streamed } = attempt
  const { firstContentMsMax, prefillTokensPerSecond, loadMsMax } = clocks
  const prefillMs = (body.bytes.length / bytesPerToken / prefillTokensPerSecond) * 1000
  const loadMs = lease.host.mustLoad(lease.model) ? loadMsMax : 0
  return {
    connectMsMax: clocks.connectMsMax,
    sendMsMax: clocks.sendMsMax,
    firstContentMsMax: showsContent
      ? Math.max(firstContentMsMax, Math.min(firstContentMsMax + prefillMs, firstContentMsCap)) + loadMs
      : null,
    contentGapMsMax: body.hasTools ? clocks.contentGapWithToolsMsMax : clocks.contentGapMsMax,
    frameMsMax: clocks.frameMsMax,
    totalMsMax: streamed ? clocks.streamMsMax : clocks.answerMsMax,
  }
}
