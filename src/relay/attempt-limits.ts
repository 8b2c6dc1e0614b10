/** How long an attempt may take in each phase: by the form of the answer, the length of the prompt, and what the host must load. */
import type { Lease } from '../queue/lease.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { RelayOptions } from './options.ts'

export interface AttemptLimits {
  readonly connectMsMax: number
  readonly sendMsMax: number
  /** Null for an answer that shows no content until it is whole. */
  readonly firstContentMsMax: number | null
  readonly contentGapMsMax: number
  readonly totalMsMax: number
}

/** The longest wait for first content that a prompt can bring about, loading apart. */
const firstContentMsCap = 600_000
/** Close enough for a limit; a JSON body is longer than its text, which errs on the patient side. */
const bytesPerToken = 4

export function attemptLimits(
  body: RequestBody,
  { lease, options, showsContent }: { lease: Lease; options: RelayOptions; showsContent: boolean },
): AttemptLimits {
  const { firstContentMsMax, prefillTokensPerSecond, loadMsMax } = options
  const prefillMs = (body.bytes.length / bytesPerToken / prefillTokensPerSecond) * 1000
  const loadMs = lease.host.mustLoad(lease.model) ? loadMsMax : 0
  return {
    connectMsMax: options.connectMsMax,
    sendMsMax: options.sendMsMax,
    firstContentMsMax: showsContent
      ? Math.max(firstContentMsMax, Math.min(firstContentMsMax + prefillMs, firstContentMsCap)) + loadMs
      : null,
    contentGapMsMax: body.hasTools ? options.contentGapWithToolsMsMax : options.contentGapMsMax,
    totalMsMax: showsContent ? options.streamMsMax : options.answerMsMax,
  }
}
