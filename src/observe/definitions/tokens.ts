/** Tokens, and the seconds they are divided by. */

import type { Definitions } from './definition.ts'
import { terms } from './terms.ts'

export const tokenMetrics = {
  tokens_total: {
    type: 'counter',
    labels: ['model', 'host', 'key', 'type'],
    help: 'Tokens by type (input, cached_input, output, reasoning); output is counted live, a frame with content at a time, and topped up to the usage the host reports; input that no host reported is estimated by its size. cached_input is part of input, reasoning part of output.',
  },
  decode_tokens_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Output tokens of streams behind the first piece of each, counted live and topped up as tokens_total is; none of answers that share a stream (n above 1). With decode_token_seconds_total the decode speed of a stream.',
  },
  decode_token_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Seconds in which decode_tokens_total came, between the first piece of a stream and the last, added piece by piece; less those in which its client took nothing.',
  },
  prefill_tokens_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Input tokens of streams that their host reported and did not take from its cache: with prefill_token_seconds_total the prefill speed. A host that says nothing of its cache is taken to have computed them all.',
  },
  prefill_token_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Seconds between dispatch and first content of the streams whose input is in prefill_tokens_total, added with it at their end.',
  },
  discarded_tokens_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Output that nobody got and nobody is charged for: of attempts that were lost, and of answers that were kept back.',
  },
  prefill_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Stream-seconds between dispatch and first content, or the end of an attempt that came to nothing, added up live.',
  },
  decode_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Stream-seconds between first content and the end of generation, added up live: how many answers a host made at once, and not how fast.',
  },
  whole_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Seconds between dispatch and end of answers that show nothing before they are whole, added up live.',
  },
  host_busy_seconds_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Wall seconds in which at least one stream of this model was decoding, or one whole answer of it was being made. Those of several models overlap: of a host in all it is host_generating_seconds_total.',
  },
  host_generating_seconds_total: {
    type: 'counter',
    labels: ['host'],
    help: `Wall seconds in which the host made at least one answer, of whatever model: decoded a stream, or made a whole one. ${terms.batch.name}: decode_seconds_total and whole_seconds_total, divided by it.`,
  },
  host_streams: {
    type: 'gauge',
    labels: ['model', 'host', 'phase'],
    help: `Answers that the host makes now, by phase: prefill, decode or whole (shows nothing before it is whole). ${terms.batch.name}: decode and whole together.`,
  },
  usage_source_total: {
    type: 'counter',
    labels: ['host', 'source'],
    help: 'Answers that came whole, by where their token counts come from: reported by the host, counted by the gateway frame by frame, or estimated where only input was read and nothing reported.',
  },
  usage_rejected_total: {
    type: 'counter',
    labels: ['host'],
    help: 'Answers whose reported usage, or a part of it, could not be believed (negative, a fraction, a text, more than 10^9) and was left out.',
  },
  bad_frames_total: {
    type: 'counter',
    labels: ['host'],
    help: 'Frames of streams that were no JSON; each goes out as it came, and the third in a row ends its stream.',
  },
} as const satisfies Definitions
