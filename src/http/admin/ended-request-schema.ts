/** A request that has ended, as it is shown to whoever administers the gateway: what became of it, where its time went, and why. */
import { z } from 'zod'
import { requestClasses } from '../../base/request-class.ts'
import { terms } from '../../observe/definitions/terms.ts'

const amount = z.int().min(0)
/** Some thirty years: times that are added to a date leave one. */
const msMax = 1e12
const milliseconds = (what: string) => z.number().min(0).max(msMax).describe(`Milliseconds ${what}`)
const sinceAccepted = (what: string) =>
  z.number().min(-msMax).max(msMax).describe(`Milliseconds after it was accepted: ${what}`)

const attempt = z.strictObject({
  host: z.string(),
  model: z.string().describe('Name of the model there'),
  reason: z.string().describe('Why this host was chosen'),
  considered: z.array(z.string()).describe('Hosts that had a slot free for it at that moment; of many only some'),
  beganMs: sinceAccepted('it had the slot'),
  sentMs: sinceAccepted('a connection was there').nullable(),
  headMs: sinceAccepted('the head of the answer was there').nullable(),
  endedMs: sinceAccepted('it was over'),
  failure: z
    .string()
    .nullable()
    .describe('How it failed; given_back for a more urgent request; null where all went well'),
})

const spent = z.strictObject({
  readMs: milliseconds('until its body was read'),
  limitMs: milliseconds('of checks, and of waiting for the limits of its key or address'),
  queueMs: milliseconds('in the line'),
  lostMs: milliseconds('in attempts that came to nothing, or were given back'),
  hostMs: milliseconds("until the head of the last host's answer"),
  prefillMs: milliseconds('from there to the first content'),
  contentMs: milliseconds('from there until the answer was whole'),
  lastMs: milliseconds('until the client had the last bytes'),
})

export const endedRequestSchema = z.strictObject({
  id: z.string().describe('Of the gateway, never twice'),
  requestId: z.string().describe("The client's own where it sent one; it may repeat"),
  traceId: z.string().nullable().describe('Of its trace: that of its client, or one that began here'),
  key: z.string().describe('Name of its key; anonymous without one'),
  class: z.enum(requestClasses).nullable().describe('Null where it was refused before that was known'),
  endpoint: z.string(),
  model: z.string().nullable().describe('The name that was asked for, where it is a known one'),
  asked: z.string().nullable().describe('The name that was asked for where it is another, cut to 64 characters'),
  stream: z.boolean(),
  status: amount.describe('What the client got; 499 where it left first'),
  end: z.string().describe('Who ended it and in which phase; -- where all is well'),
  error: z.string().nullable().describe('Code of the error'),
  host: z.string().nullable().describe('Of the last attempt'),
  acceptedAt: z.iso.datetime().describe('ISO 8601, in UTC'),
  durationMs: milliseconds('in all'),
  spent: spent.describe('Where they went'),
  toldWait: z
    .strictObject({ p50Ms: milliseconds('in one of two cases'), p90Ms: milliseconds('in nine of ten') })
    .nullable()
    .describe('What was reckoned of its wait when that began; null where it did not wait, or nothing was known'),
  ttftMs: milliseconds('to the first content of a stream').nullable(),
  upstreamTtftMs: milliseconds('from the dispatch of the last attempt to the first content').nullable(),
  tpotMs: milliseconds('per output token of a stream').nullable(),
  tokensPerSecond: z.number().min(0).nullable().describe('Decode tok/s of the stream: 1 / TPOT'),
  endToEndTokensPerSecond: z
    .number()
    .min(0)
    .nullable()
    .describe(`${terms.endToEnd.definition} Null where nothing was written`),
  tokens: z.strictObject({
    input: amount,
    cachedInput: amount.describe('Of the input'),
    output: amount,
    reasoning: amount.describe('Of the output'),
  }),
  usage: z.string().describe('Where the tokens come from: reported, counted, estimated or none'),
  attempts: amount.describe('Times that it was sent to a host'),
  attemptsMade: z.array(attempt).describe('In order; of very many the last'),
})

export type EndedRequest = z.infer<typeof endedRequestSchema>
