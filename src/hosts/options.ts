/** Options of the inference hosts. */
import { z } from 'zod'
import { count, milliseconds, positiveMilliseconds } from '../base/option-types.ts'
import { clockOverrides } from './clock-options.ts'
import { hostKindNames } from './kinds/host-kind.ts'

const hostUrl = z
  .string()
  .superRefine((text, context) => {
    const problem = hostUrlProblem(text)
    if (problem !== null) context.addIssue({ code: 'custom', message: problem })
  })
  .describe('Where the host listens, without /v1: http://192.168.188.11:1234')

const slotCount = count.max(1024)

const contextTokens = count.max(100_000_000)

const plainWord = z
  .string()
  .regex(/^[\x21-\x7e]*$/, 'must be one word of plain letters, digits and signs; look for a space or a line end in it')

const slotBounds = z
  .strictObject({ min: slotCount.optional(), max: slotCount.optional() })
  .refine(({ min, max }) => min === undefined || max === undefined || min <= max, {
    path: ['min'],
    error: 'must be at most max',
  })

export const hostOptions = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'must be 1 to 63 letters, digits, dots, dashes or underscores')
    .optional()
    .describe("Name in headers, logs and metrics; default: the URL's host and port"),
  url: hostUrl,
  kind: z.enum(hostKindNames).optional().describe('Kind of server; detected when absent'),
  slots: z
    .union([slotCount, slotBounds])
    .optional()
    .describe(
      'Parallel requests: a number that stays, or bounds inside of which it adapts, such as { min: 2, max: 8 }, each of them optional; default: adapts from what the host says, else from the number of its kind, up to the most of its kind',
    ),
  apiKey: plainWord.optional().describe("Sent to this host as a bearer token; a client's own key never is"),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authority that signed the certificate of this host; default: those of Node'),
  models: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Names this host serves beyond those it lists, such as audio models or configured names that leave the LAN',
    ),
  streamUpstream: z
    .boolean()
    .default(false)
    .describe(
      "Run non-streamed chat and completions as streams at this host, so that they can be watched and cancelled; the answer is put together and marked. LMX's streams know less than its answers",
    ),
  onDisconnect: z
    .enum(['cancel', 'drain'])
    .optional()
    .describe(
      'When a client leaves: close the connection (cancel), or read the answer to its end, for hosts that break when they are cut off (drain); default: by its kind',
    ),
  keepAliveMs: positiveMilliseconds
    .optional()
    .describe(
      "Idle connections to this host; must stay below the host's own time, or it closes one just as a request is written; default: by its kind (lmx 30 s), else 4 s, or what the host hints at",
    ),
  clocks: z
    .strictObject(clockOverrides)
    .optional()
    .describe('The clocks under relay that differ for this host, e.g. { loadMsMax: 600000 }'),
  tier: count
    .max(9)
    .default(1)
    .describe('A host of a higher tier gets a request only while none of a lower one that could serve it has a slot'),
  weight: z
    .number()
    .positive()
    .max(1_000)
    .default(1)
    .describe('Its share of requests beside that of the others, where balancing.policy is weighted'),
  contextTokensMax: z
    .union([contextTokens, z.record(z.string().min(1), contextTokens)])
    .optional()
    .describe(
      'Longest prompt and answer together, in tokens: a number for all its models, or one for each by its name there; default: what the host says, which lmx does only to an adminKey',
    ),
  adminKey: plainWord
    .optional()
    .describe('Sent to the admin API of this host (lmx: X-Admin-Key), and to nothing else of it'),
  allowModelLoads: z
    .boolean()
    .default(false)
    .describe(
      'The gateway may load and unload models through the admin API of this host (lmx); hosts that load what a request names need no leave',
    ),
  modelsLoadedMax: count
    .max(64)
    .optional()
    .describe('Models it can hold at once; default: by its kind, and more once it was seen to hold more'),
})

export const hostsOptions = z.array(hostOptions).min(1)

export const probeOptions = z.strictObject({
  everyMs: positiveMilliseconds.min(100).default(5_000).describe('Between two probes of a host, ± 20 %'),
  timeoutMs: positiveMilliseconds.default(2_000).describe('A probe that takes longer has failed'),
  fall: count
    .default(3)
    .describe(
      'Failed probes in a row until a host counts as down; a refused connection, or a request that cannot connect, counts at once',
    ),
  rise: count
    .default(2)
    .describe(
      'Good probes in a row until a host that was down is up again; when the gateway starts the first one is enough',
    ),
  bytesMax: count.default(4_194_304).describe('Largest model list that is read, in bytes'),
})

export const healthOptions = z.strictObject({
  ejectMs: positiveMilliseconds
    .max(3_600_000)
    .default(15_000)
    .describe(
      'A host that loses 3 requests in a row, or fails 5, gets none for this long, ± 20 %; at each return that fails again so much longer, up to 8 times',
    ),
  slowStartMs: milliseconds
    .max(3_600_000)
    .default(30_000)
    .describe(
      'A host that returns gets its slots one by one over this time; one that goes down again within it stays down until it is over',
    ),
})

const objective = {
  timeToFirstTokenMsMax: positiveMilliseconds,
  timePerOutputTokenMsMax: positiveMilliseconds,
}

export const sloOptions = z.strictObject({
  timePerOutputTokenMsMax: objective.timePerOutputTokenMsMax
    .default(100)
    .describe(
      'Slowest time per output token that is wanted (100: ten tokens a second in each stream); a host whose p90 exceeds it gets fewer slots, as far as they adapt, and a stream that does counts as a miss',
    ),
  firstTokenMsMax: positiveMilliseconds
    .default(10_000)
    .describe(
      'Longest time from when a request is sent to a host until the first token, as p90 of its answers: beyond it the host gets fewer slots, as far as they adapt',
    ),
  timeToFirstTokenMsMax: objective.timeToFirstTokenMsMax
    .default(10_000)
    .describe('Longest time to first token that is wanted of a stream that is not bulk, the wait in line included'),
  models: z
    .record(z.string(), z.strictObject(objective).partial())
    .default({})
    .describe('Objectives of models that differ, by the name clients use; the slots of hosts go by those above'),
})

export const modelsOptions = z.strictObject({
  aliases: z
    .record(
      z.string().min(1),
      z.union([z.string().min(1), z.record(z.string().min(1), z.string().min(1)), z.array(z.string().min(1)).min(1)]),
    )
    .default({})
    .describe(
      'A name of your own: for one model, for a model per host (host: model), or for an ordered list (fallback)',
    ),
  clocks: z
    .record(z.string().min(1), z.strictObject(clockOverrides))
    .default({})
    .describe(
      'The clocks under relay that differ for a model, by the name it has at its host; these win over those of the host',
    ),
  contextTokensMax: z
    .record(z.string().min(1), contextTokens)
    .default({})
    .describe(
      'Longest prompt and answer together, in tokens, by the name a model has at its hosts; that of a host wins, and what a host says is used where neither is set',
    ),
  residency: z
    .strictObject({
      keepMsMin: milliseconds
        .max(86_400_000)
        .default(60_000)
        .describe(
          'A model that was used so short a time ago is not put out for another, at least twice its load, once the time for loads (loadShareMax) is used up and while its quantum lasts',
        ),
      loadShareMax: z
        .number()
        .min(0.01)
        .max(0.9)
        .default(0.1)
        .describe(
          'Share of the time of a host that may go into loads, saved up to that of 5 min: as long as some of it is left, what nobody waits for gives way at once, and what is wanted is served for so long that loads take no more, and then the next has its turn',
        ),
      loadMsDefault: positiveMilliseconds
        .default(30_000)
        .describe('What a load is expected to take where none was seen yet'),
      loadsPerHourMax: count.default(20).describe('Loads of one host in any hour'),
    })
    .prefault({})
    .describe('Hosts that load models, on request or through their admin API'),
})

export type HostOptions = z.infer<typeof hostOptions>
export type ProbeOptions = z.infer<typeof probeOptions>
/** What the slots of hosts go by. */
export type HostSlo = Pick<z.infer<typeof sloOptions>, 'firstTokenMsMax' | 'timePerOutputTokenMsMax'>
export type HealthOptions = z.infer<typeof healthOptions>

/** Null, or one sentence on why a host URL cannot be used. Credentials would end up in logs and process lists. */
function hostUrlProblem(text: string): string | null {
  const shown = quotable(text)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return `${shown} is not a URL; write it like http://192.168.188.11:1234`
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return `${shown} must begin with http:// or https://`
  if (url.username !== '' || url.password !== '') {
    return 'a host URL must not carry credentials; put the key into apiKey, for instance apiKey: "${LMX_API_KEY}"'
  }
  if (url.search !== '' || url.hash !== '') return `${shown} must end after the path; remove the query or fragment`
  if (/\/v1\/?$/.test(url.pathname)) return `${shown} must be given without /v1; the gateway adds the path`
  return null
}

/** The URL for a message, less what may be a secret in it: user:password@ even where that is no URL, and the query. */
function quotable(text: string): string {
  return text.includes('@') ? 'the URL' : `"${text.replace(/[?#].*$/s, '?…')}"`
}
