/** Bounds and clocks of relaying one request. */
import { z } from 'zod'
import { bytes, count, positiveMilliseconds } from '../base/option-types.ts'
import { clockDefaults } from '../hosts/clock-options.ts'
import { heartbeatForms } from '../wire/heartbeat.ts'

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
  ...clockDefaults,
  heartbeat: z
    .enum(heartbeatForms)
    .default('off')
    .describe(
      'What a waiting stream is sent from headerHoldMs on: nothing (off: then every failure until the first content has its true status), SSE comments (comment), or frames without content (chunk); a client chooses for itself with x-lmx-gateway-heartbeat',
    ),
  headerHoldMs: positiveMilliseconds
    .default(10_000)
    .describe('With a heartbeat: how long status and headers wait for the first content'),
  heartbeatMs: positiveMilliseconds.default(15_000).describe('Between two heartbeats'),
  abandonedMsMax: positiveMilliseconds
    .default(120_000)
    .describe(
      'How long an answer is read to its end after its client left, at hosts that must not be cut off (see onDisconnect)',
    ),
  zombieMsMax: positiveMilliseconds
    .default(60_000)
    .describe(
      'How long a slot stays taken after an answer was given up, at hosts that go on computing, unless the host is known to be free before',
    ),
  frameBytesMax: bytes.default(1_048_576).describe('Largest single SSE frame'),
  answerHoldBytesMax: bytes
    .default(262_144)
    .describe(
      'A non-streamed answer up to this size is sent only when whole, so that a failure still gets its true status',
    ),
  assembledBytesMax: bytes
    .default(16_777_216)
    .describe('Largest answer that is put together from a stream, see hosts[].streamUpstream'),
  storedResponsesMax: count
    .default(10_000)
    .describe(
      'Stored-response ids remembered with their host; where they are full, a key with more than a tenth of them forgets its own first',
    ),
})

export type RelayOptions = z.infer<typeof relayOptions>
