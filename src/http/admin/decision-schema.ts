/** Why a request went where it did, as it is shown to whoever administers the gateway: each choice of a host, and what came of it. */
import { z } from 'zod'
import { requestClasses } from '../../base/request-class.ts'

const amount = z.int().min(0)
const milliseconds = (what: string) => amount.describe(`Milliseconds ${what}`)

const place = z.strictObject({
  host: z.string(),
  model: z.string().describe('Name of the model there'),
  free: z.boolean().describe('It had a slot free'),
  slotWaitMs: milliseconds('until it would have one'),
  loadMs: milliseconds('until it has the model in memory'),
  prefillMs: milliseconds('to read what it must read of its own prompt'),
  firstTokenMs: milliseconds(
    'to the first token: its load and that, behind the longer of the wait for a slot and of what is read before it',
  ),
  cachedTokens: amount.describe('Of the prompt, what the host is likely to have kept'),
  home: z.boolean().describe('This conversation was there before'),
  running: amount.describe('Requests at the host'),
  inputAhead: amount.describe('Tokens of prompts that it had yet to read for others'),
  outputAhead: amount.describe('Tokens that it had yet to generate for others'),
  prefillTokensPerSecond: amount.describe('How fast it was taken to read'),
  decodeTokensPerSecond: amount.describe('How fast it was taken to generate one answer alone'),
  samples: amount.describe('Answers that these were learned from, the older the less; 0 where they were assumed'),
  score: z
    .number()
    .nullable()
    .describe('What the policy made of it: the less, the better; null where it makes nothing of the kind'),
  leftOut: z
    .string()
    .nullable()
    .describe(
      'Why it could not be chosen: load (it is sooner done where the model is in memory), other_models (these keep the model from being loaded there now), full; null where it could',
    ),
})

const hold = z.strictObject({
  waitMsMax: milliseconds('for which waiting for this host was the better choice'),
  ended: z
    .strictObject({
      result: z
        .string()
        .describe(
          'granted: it had its slot there; let_go: it waited too long, and any host would do; host_gone: the host takes nothing any more; left: the request left the line',
        ),
      ms: milliseconds('that it waited'),
    })
    .nullable()
    .describe('Null while it waits'),
})

const came = z.strictObject({
  firstTokenMs: milliseconds('from sending it to the first token of a stream').nullable(),
  cachedTokens: amount.nullable().describe('Of the prompt, as its host reported; null where it says nothing'),
  inputTokens: amount,
  outputTokens: amount,
  tookMs: milliseconds('from when it had the slot until it was over'),
  failure: z.string().nullable().describe('Null where all went well'),
})

export const decisionSchema = z.strictObject({
  at: z.iso.datetime().describe('ISO 8601, in UTC'),
  id: z.string().describe('Of the request; of the gateway, never twice'),
  requestId: z.string().describe("The client's own where it sent one; it may repeat"),
  key: z.string().describe('Name of its key; anonymous without one'),
  model: z.string().describe('The name that was asked for'),
  class: z.enum(requestClasses),
  policy: z.string().describe('balancing.policy of the configuration'),
  host: z.string().describe('That was chosen'),
  reason: z.string().describe('Why, in one word: x-lmx-gateway-reason'),
  inputTokens: amount.describe('Of its prompt, as estimated'),
  outputTokens: amount.describe('Of its answer, as estimated'),
  waitedMs: milliseconds('in this turn in the line before that'),
  places: z.array(place).describe('Hosts it was chosen of, itself the first; of many only some'),
  hold: hold
    .nullable()
    .describe('Null where it had a slot at once; else the host was full, and the request waits, or waited, for it'),
  came: came.nullable().describe('What it led to; null until that is over, and where it only made the request wait'),
})

export const decisionsSchema = z.strictObject({
  decisions: z.array(decisionSchema).describe('The newest first'),
})

export type ShownDecision = z.infer<typeof decisionSchema>
