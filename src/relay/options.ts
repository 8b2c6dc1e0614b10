/** Bounds and clocks of relaying one request. */
import { z } from 'zod'
import { bytes, count, milliseconds, positiveMilliseconds } from '../base/option-types.ts'

export const relayOptions = z.strictObject({
  bodyBytesMax: bytes.default(10_485_760).describe('Largest JSON request body'),
  multipartBytesMax: bytes.default(33_554_432).describe('Largest audio upload'),
  bodyMsMax: positiveMilliseconds
    .default(60_000)
    .describe('From the end of the request headers until the last byte of the body'),
  bodyGraceMs: positiveMilliseconds
    .default(10_000)
    .describe('How long a body may be slower than bodyBytesPerSecondMin'),
  bodyBytesPerSecondMin: count
    .default(1_024)
    .describe('Slowest pace of a body, over all of its time; slower is answered 408'),
  clientStallMsMax: positiveMilliseconds
    .default(30_000)
    .describe('How long a client may take to read what waits for it (300 kB at the most) before it is cut off'),
  choicesMax: count.default(16).describe('Largest n; the most that LMX accepts'),
  messagesMax: count.default(4_096).describe('Messages in one request; no conversation that fits a context has more'),
  connectMsMax: positiveMilliseconds
    .default(3_000)
    .describe('Until a host accepts the connection; one lost SYN is covered'),
  sendMsMax: positiveMilliseconds
    .default(30_000)
    .describe('Until a host has taken the whole request, where the answer is not streamed'),
  firstContentMsMax: positiveMilliseconds
    .default(60_000)
    .describe('Until the first content of a stream, for an empty prompt; the prompt length is added on top'),
  prefillTokensPerSecond: count
    .default(150)
    .describe(
      'Slowest prefill allowed for: a prompt of n tokens adds n ÷ this to firstContentMsMax, 600 s at the most',
    ),
  loadMsMax: milliseconds
    .default(300_000)
    .describe('Added to firstContentMsMax where the host must load the model first'),
  contentGapMsMax: positiveMilliseconds.default(60_000).describe('Between two content frames of a stream'),
  contentGapWithToolsMsMax: positiveMilliseconds
    .default(180_000)
    .describe('The same when the request has tools: hosts hold tool calls back until they are whole'),
  streamMsMax: positiveMilliseconds.default(1_800_000).describe('A whole stream'),
  answerMsMax: positiveMilliseconds
    .default(600_000)
    .describe('A whole non-streamed answer; the OpenAI clients give up then too'),
  frameBytesMax: bytes.default(1_048_576).describe('Largest single SSE frame'),
  answerHoldBytesMax: bytes
    .default(262_144)
    .describe(
      'A non-streamed answer up to this size is sent only when whole, so that a failure still gets its true status',
    ),
  storedResponsesMax: count.default(10_000).describe('Stored-response ids remembered with their host'),
})

export type RelayOptions = z.infer<typeof relayOptions>
