/** What the figures of speed mean: README prints these definitions, and metrics, panels and pages use the terms in this sense alone. */

export const terms = {
  ttft: {
    name: 'time to first token (TTFT)',
    definition:
      'From accepting a streamed request to its first non-empty content, reasoning or tool delta; never the first byte, never the role frame.',
  },
  upstreamTtft: {
    name: 'upstream TTFT',
    definition:
      'From the dispatch of the last attempt to the same event: connection, queue of the host, loading and prefill.',
  },
  queueWait: {
    name: 'queue wait',
    definition:
      'From asking for a slot to its grant, in one turn in the line: a request that is sent back waits again. The log, receipts and key_queue_seconds_total add up all turns of a request.',
  },
  tpot: {
    name: 'time per output token (TPOT)',
    definition:
      '(Last content - first content) / output tokens that came behind the first piece, one value for each stream. These are output tokens - 1 where a piece holds one token, and the same share of them as of the pieces where it holds more. Less the time in which its client took nothing. Undefined for one piece, and where several answers share a stream (n above 1).',
  },
  gap: {
    name: 'chunk gap (ITL)',
    definition:
      'Between one piece of content and the next. It is the time between tokens only where a piece holds one token: hosts may put several into one.',
  },
  streamSpeed: {
    name: 'decode tok/s of a stream',
    definition:
      'Output tokens behind the first piece of each stream / seconds between its first content and its last, each added up over streams: 1 / TPOT, weighted by length. Not a mean of the speeds of requests, in which short answers weigh too much.',
  },
  endToEnd: {
    name: 'end-to-end tok/s',
    definition: 'Output tokens / (end - accept) of a request: what users call its speed, waiting included.',
  },
  aggregate: {
    name: 'aggregate tok/s',
    definition:
      'Output tokens delivered per second of wall time over a host, a model or a key, counted while they pass.',
  },
  busySpeed: {
    name: 'busy tok/s',
    definition:
      'Output tokens / wall seconds in which the host was generating, whatever the model: comparable between quiet and busy days. Of a model: in which the host was generating that model. The seconds of several hosts add up; those in which several gateways see one host generate overlap, and count as far as chance would have them do so.',
  },
  batch: {
    name: 'batch size',
    definition:
      'Answers that a host generates at once while it generates any: seconds of answers / wall seconds, as for busy tok/s.',
  },
  prefillSpeed: {
    name: 'prefill tok/s',
    definition:
      'Input tokens of streams that did not come from the prefix cache, as their hosts report them / seconds between dispatch and first content of the same streams. The host\u2019s own queue is in these seconds. It is too high where a host has a cache and says nothing of it.',
  },
  stall: {
    name: 'stall',
    definition:
      'A chunk gap longer than metrics.stallMs (2 s), or as long a silence with which a stream ends before its host was done with it.',
  },
  goodput: {
    name: 'goodput',
    definition:
      'Requests (or their output tokens) per second that met every objective of slo: answered, TTFT and TPOT. What the fleet refused, failed or let wait until its client gave up beyond the objective missed it; what the caller got wrong, or left before that, does not count.',
  },
} as const satisfies Record<string, { readonly name: string; readonly definition: string }>
