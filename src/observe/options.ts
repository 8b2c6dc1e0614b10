/** Options of what the gateway says about itself. */
import { z } from 'zod'
import { count, positiveMilliseconds } from '../base/option-types.ts'
import { seriesMaxDefault } from './series-max.ts'

export const logOptions = z.strictObject({
  format: z.enum(['auto', 'json', 'text']).default('auto').describe('auto: text on a terminal, else JSON lines'),
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Lowest level written'),
  recentRequestsMax: z
    .int()
    .min(0)
    .max(100_000)
    .default(1_000)
    .describe('Ended requests that GET /admin/requests can tell of; 1 to 5 kB of memory each'),
})

export const metricsOptions = z.strictObject({
  enabled: z.boolean().default(true).describe('false: nothing is counted for Prometheus, and /metrics is not there'),
  seriesMax: count
    .default(seriesMaxDefault)
    .describe(
      'Series in all; once there are so many, new ones of models and keys are counted as other. Those of hosts and of the gateway itself are always there',
    ),
  stallMs: positiveMilliseconds
    .default(2_000)
    .describe('A gap between two pieces of content of a stream that is longer counts as a stall'),
})

export const otlpOptions = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(hasNoCredentials, {
      message:
        'must not carry credentials; put them into otlp.headers, for instance authorization: "Bearer ${OTLP_KEY}"',
    })
    .optional()
    .describe(
      'Base address of an OpenTelemetry receiver (OTLP over HTTP), for instance http://127.0.0.1:4318; nothing is sent, and nothing loaded, without',
    ),
  headers: z
    .record(z.string(), z.string())
    .superRefine(mustBeHeaders)
    .default({})
    .describe('Sent along, for instance the key of a receiver'),
  traces: z.boolean().default(true).describe('Send a trace of requests'),
  sampleRatio: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe('Share of requests that are traced, of those whose client did not decide it by traceparent'),
  metrics: z.boolean().default(false).describe('Send the metrics of /metrics, too'),
  metricsIntervalMs: positiveMilliseconds.min(1_000).default(60_000).describe('How often metrics are sent'),
  timeoutMs: positiveMilliseconds.default(10_000).describe('How long the receiver may take'),
  serviceName: z.string().min(1).default('lmx-gateway').describe('service.name of what is sent'),
})

/** They would end up in process lists; in what is no URL there are none. */
function hasNoCredentials(endpoint: string): boolean {
  const url = URL.parse(endpoint)
  return url === null || (url.username === '' && url.password === '')
}

/** What could not be sent would fail each export, and nothing at the start would have said so. */
function mustBeHeaders(headers: Readonly<Record<string, string>>, context: z.RefinementCtx): void {
  for (const [name, value] of Object.entries(headers)) {
    const message = headerProblem(name, value)
    if (message !== null) context.addIssue({ code: 'custom', path: [name], message })
  }
}

/** Says nothing of the value, which may be a secret. */
function headerProblem(name: string, value: string): string | null {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return 'is no name of a header'
  if (ownHeaders.has(name.toLowerCase())) return 'is set by the gateway itself'
  return /^[\x20-\x7e]*$/.test(value) ? null : 'must be plain letters, digits and signs; look for a line end in it'
}

/** They say how a request is framed and encoded. */
const ownHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export type LogOptions = z.infer<typeof logOptions>
export type OtlpOptions = z.infer<typeof otlpOptions>
