/** What became of requests, and how fast their answers were. */

import { gapEdgesSeconds } from '../../metering/events.ts'
import { durationBuckets, perTokenBuckets, tokenBuckets, waitBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'
import { terms } from './terms.ts'

export const requestMetrics = {
  requests_total: {
    type: 'counter',
    labels: ['endpoint', 'model', 'key', 'status', 'end'],
    help: 'Requests that ended, by the status the client got (499: it left) and the end code: who ended it and in which phase.',
  },
  request_outcomes_total: {
    type: 'counter',
    labels: ['model', 'outcome'],
    help: 'Requests that ended, by what became of them and over all keys, so that shares can be reckoned of rare ends too: ok, left (by the client), slow_client, caller_error (4xx but 429), limited (429), refused (by the line or for want of something of the gateway), failed (at a host or the gateway, before anything was sent, or of an answer that was not streamed), broken (of a stream, behind its beginning) or cancelled (by an operator or a shutdown).',
  },
  request_duration_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'From accepting a request to the last byte of its answer, for answered requests.',
    buckets: durationBuckets,
  },
  time_to_first_token_seconds: {
    type: 'histogram',
    labels: ['model', 'host', 'class'],
    help: `Streams, told when it comes and not when the answer ends. ${terms.ttft.definition}`,
    buckets: waitBuckets,
  },
  time_to_first_token_part_seconds_total: {
    type: 'counter',
    labels: ['model', 'host', 'part'],
    help: 'Where the time to the first token of streams went; the parts add up to the sum of time_to_first_token_seconds: read (the body), limit (checks and the wait for limits of the caller), queue, lost (attempts that came to nothing), host (until the head of its answer) and prefill (from there).',
  },
  upstream_time_to_first_token_seconds: {
    type: 'histogram',
    labels: ['model', 'host', 'cache'],
    help: `Streams. ${terms.upstreamTtft.definition} cache is what the host said of the prompt: hit (nine tenths of it and more came from its cache), partial, miss, or unknown.`,
    buckets: waitBuckets,
  },
  time_per_output_token_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: `Streams of two tokens and more. ${terms.tpot.definition}`,
    buckets: perTokenBuckets,
  },
  stream_chunk_gap_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: `One in eight gaps of streams. ${terms.gap.definition}`,
    buckets: gapEdgesSeconds,
  },
  stream_stalls_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Gaps between pieces of content that were longer than metrics.stallMs.',
  },
  request_input_tokens: {
    type: 'histogram',
    labels: ['model'],
    help: 'Tokens of the prompts of answered requests, reported or estimated.',
    buckets: tokenBuckets,
  },
  request_output_tokens: {
    type: 'histogram',
    labels: ['model'],
    help: 'Tokens of answers to answered requests, reported or counted.',
    buckets: tokenBuckets,
  },
  slo_requests_total: {
    type: 'counter',
    labels: ['slo', 'model', 'met'],
    help: `Requests by whether they met an objective: availability, ttft (streams that are not bulk), tpot (streams), or goodput, which is all of them. ttft is counted when the first token comes, the others when the request ends. What the fleet refused, failed or let wait until its client gave up beyond the objective missed it; what the caller got wrong, or left before that, does not count.`,
  },
  slo_tokens_total: {
    type: 'counter',
    labels: ['slo', 'model', 'met'],
    help: 'Output tokens of the same requests, counted when they end.',
  },
  failovers_total: {
    type: 'counter',
    labels: ['model', 'phase', 'result'],
    help: 'Requests moved to another connection or host; phase is connect, reused_socket, refused (busy, no such model) or pre_token (failed before any content), result ok or failed.',
  },
  open_streams: { type: 'gauge', labels: [], help: 'Streams being relayed now.' },
} as const satisfies Definitions
