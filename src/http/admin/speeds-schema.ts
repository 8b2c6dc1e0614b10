/** What pages of hosts, models and the whole gateway have in common: speeds by the definitions that metrics have, and counts. */
import { z } from 'zod'
import { terms } from '../../observe/definitions/terms.ts'

export const amount = z.int().min(0)
/** Zero where metrics are on and nothing was counted. */
export const counted = amount.nullable()

const speed = (definition: string) =>
  z.number().min(0).nullable().describe(`${definition} Null where there was none in the window.`)

const speeds = z.strictObject({
  windowSeconds: z
    .number()
    .min(0)
    .describe('Seconds that these figures are of: a little more than asked for, less while the gateway is younger'),
  outputTokensPerSecond: speed(terms.aggregate.definition),
  streamTokensPerSecond: speed(terms.streamSpeed.definition),
  busyTokensPerSecond: speed(terms.busySpeed.definition),
  batchSize: speed(terms.batch.definition),
  prefillTokensPerSecond: speed(terms.prefillSpeed.definition),
  ttftP50Ms: speed(`Milliseconds, half of all are shorter; null where metrics are off. ${terms.ttft.definition}`),
  ttftP95Ms: speed('The same of nineteen in twenty.'),
})

export const recentSpeeds = z.strictObject({ lastMinute: speeds, last5Minutes: speeds })

export const tokenCounts = z.strictObject({
  input: amount,
  cachedInput: amount.describe('Of the input, what came from prefix caches'),
  output: amount,
  reasoning: amount.describe('Of the output'),
  discarded: amount.describe('Output that nobody got and nobody is charged for'),
})

/** By a word of the metric; what does not stand there is zero. */
export const countsBy = (word: string) =>
  z.record(z.string(), amount).nullable().describe(`By ${word}; what is not there is zero. Null where metrics are off`)

const judged = z.strictObject({ met: amount, missed: amount })

export const objectives = z
  .strictObject({ availability: judged, ttft: judged, tpot: judged, goodput: judged })
  .nullable()
  .describe(
    `Requests by whether they met the objectives of slo; null where metrics are off. ${terms.goodput.definition}`,
  )

export const endedRequests = z
  .strictObject({ total: amount, byStatus: z.record(z.string(), amount), byEnd: z.record(z.string(), amount) })
  .nullable()
  .describe(
    'That have ended since the start, by what the client got (499: it left) and by end code; null where metrics are off',
  )

export const streams = z.strictObject({
  prefill: amount.describe('Before their first content'),
  decode: amount,
  whole: amount.describe('Answers that show nothing before they are whole'),
})
