/** The clocks of an attempt as the configuration has them. */
import { count, milliseconds, positiveMilliseconds } from '../base/option-types.ts'

const clock = (form: typeof count, byDefault: number, meaning: string) => ({
  byDefault: form.default(byDefault).describe(meaning),
  otherwise: form.optional().describe(meaning),
})

const clocks = {
  connectMsMax: clock(positiveMilliseconds, 3_000, 'Until a host accepts the connection; one lost SYN is covered'),
  sendMsMax: clock(
    positiveMilliseconds,
    30_000,
    'Until a host has taken the whole request, where the answer is not streamed',
  ),
  firstContentMsMax: clock(
    positiveMilliseconds,
    60_000,
    'Until the first content of a stream, for an empty prompt; the prompt length is added on top',
  ),
  prefillTokensPerSecond: clock(
    count,
    150,
    'Slowest prefill allowed for: a prompt of n tokens adds n ÷ this to firstContentMsMax, 600 s at the most',
  ),
  loadMsMax: clock(milliseconds, 300_000, 'Added to firstContentMsMax where the host must load the model first'),
  contentGapMsMax: clock(positiveMilliseconds, 60_000, 'Between two content frames of a stream'),
  contentGapWithToolsMsMax: clock(
    positiveMilliseconds,
    180_000,
    'The same when the request has tools: hosts hold tool calls back until they are whole',
  ),
  frameMsMax: clock(
    positiveMilliseconds,
    30_000,
    'One frame of a stream, from its first byte to its last: against a host that drips',
  ),
  streamMsMax: clock(positiveMilliseconds, 1_800_000, 'A whole stream'),
  answerMsMax: clock(positiveMilliseconds, 600_000, 'A whole non-streamed answer; the OpenAI clients give up then too'),
}

/** For all hosts and models, every clock with its default. */
export const clockDefaults = {
  connectMsMax: clocks.connectMsMax.byDefault,
  sendMsMax: clocks.sendMsMax.byDefault,
  firstContentMsMax: clocks.firstContentMsMax.byDefault,
  prefillTokensPerSecond: clocks.prefillTokensPerSecond.byDefault,
  loadMsMax: clocks.loadMsMax.byDefault,
  contentGapMsMax: clocks.contentGapMsMax.byDefault,
  contentGapWithToolsMsMax: clocks.contentGapWithToolsMsMax.byDefault,
  frameMsMax: clocks.frameMsMax.byDefault,
  streamMsMax: clocks.streamMsMax.byDefault,
  answerMsMax: clocks.answerMsMax.byDefault,
}

/** For one host or model: those that differ. */
export const clockOverrides = {
  connectMsMax: clocks.connectMsMax.otherwise,
  sendMsMax: clocks.sendMsMax.otherwise,
  firstContentMsMax: clocks.firstContentMsMax.otherwise,
  prefillTokensPerSecond: clocks.prefillTokensPerSecond.otherwise,
  loadMsMax: clocks.loadMsMax.otherwise,
  contentGapMsMax: clocks.contentGapMsMax.otherwise,
  contentGapWithToolsMsMax: clocks.contentGapWithToolsMsMax.otherwise,
  frameMsMax: clocks.frameMsMax.otherwise,
  streamMsMax: clocks.streamMsMax.otherwise,
  answerMsMax: clocks.answerMsMax.otherwise,
}
