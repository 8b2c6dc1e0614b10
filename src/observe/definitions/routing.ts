/** Why requests went where they did, what was foreseen of that, and what each host has in memory. */
import { loadBuckets, ratioBuckets } from './buckets.ts'
import type { Definitions } from './definition.ts'

export const routingMetrics = {
  routing_decisions_total: {
    type: 'counter',
    labels: ['model', 'host', 'reason'],
    help: 'Slots given to requests, by the host that was chosen and why, in the words of x-lmx-gateway-reason; one that is sent back and has another turn counts again.',
  },
  routing_holds_total: {
    type: 'counter',
    labels: ['host', 'result'],
    help: 'Requests that waited for this host, which was full, while another one was free, since that was to be sooner; result is granted (it had its slot there), let_go (it took too long), host_gone (down, paused or removed) or left (the request left the line).',
  },
  routing_hold_seconds_total: {
    type: 'counter',
    labels: ['host', 'result'],
    help: 'Seconds that the requests in routing_holds_total waited for their host.',
  },
  routing_first_token_ratio: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'Real time from dispatch to the first token of a stream by the time that was predicted when its host was chosen, where the speed of the host was learned and not assumed.',
    buckets: ratioBuckets,
  },
  prefix_predicted_tokens_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Input tokens that the host was expected to have in its cache when it was chosen, of answers whose host then said how many it had: the predicted share of the prompt, of its tokens as reported.',
  },
  prefix_cached_tokens_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'Input tokens of the same answers that came from the cache of the host, as it reported.',
  },
  host_prefill_tokens_per_second: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: 'How fast the host reads a prompt, as it was learned of what it answered; hosts are chosen by this. model is its name there.',
  },
  host_decode_tokens_per_second: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: 'How fast the host generates one answer alone, as it was learned. model is its name there.',
  },
  host_batch_slowdown: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: 'What each further answer adds to the time of every token of all, as it was learned: n at once take 1 + slowdown x (n - 1) of the time of one alone. model is its name there.',
  },
  host_memory_used_ratio: {
    type: 'gauge',
    labels: ['host'],
    help: 'Of the memory of the host, as it last said itself: 0 to 1. Only of hosts that do.',
  },
  host_cache_used_ratio: {
    type: 'gauge',
    labels: ['host'],
    help: 'Of the room that the host has for the prompts and answers under way, as it last said: 0 to 1. Only of hosts that do.',
  },
  host_queue_depth: {
    type: 'gauge',
    labels: ['host'],
    help: 'Requests that wait at the host itself, as it last said; whoever sent them. Only of hosts that do.',
  },
  host_telemetry_age_seconds: {
    type: 'gauge',
    labels: ['host'],
    help: 'Since the host last said how busy it is. Only of hosts that did.',
  },
  model_context_tokens: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: 'Tokens of prompt and answer together that the model takes at the host, where that is configured or the host says so. model is its name there.',
  },
  model_resident: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: '1 while the host has the model in memory, 0 once it has no more; only of hosts that load models, and of models that they had there since the gateway started. model is its name there.',
  },
  model_loading: {
    type: 'gauge',
    labels: ['model', 'host'],
    help: '1 while the host loads the model because the gateway had it do so, else 0. model is its name there.',
  },
  model_hosts_resident: {
    type: 'gauge',
    labels: ['model'],
    help: 'Of the hosts in model_hosts_up, those that have the model in memory; of models that have a host which loads models on demand.',
  },
  model_hosts_loading: {
    type: 'gauge',
    labels: ['model'],
    help: 'Of the same models: hosts that load the model now because the gateway had them do so.',
  },
  model_load_waiting: {
    type: 'gauge',
    labels: ['model'],
    help: 'Of the same models: requests that wait for one that no host has in memory, whether its load has begun or not.',
  },
  model_loads_total: {
    type: 'counter',
    labels: ['model', 'host', 'result'],
    help: 'Loads of the model that the gateway had the host do; result is ok, failed (the host could not), refused (it would not: no memory, or its own rules) or lost (it took too long, or the host went). model is its name there.',
  },
  model_load_duration_seconds: {
    type: 'histogram',
    labels: ['model', 'host'],
    help: 'How long the loads took that went well. model is its name there.',
    buckets: loadBuckets,
  },
  model_evictions_total: {
    type: 'counter',
    labels: ['model', 'host'],
    help: 'How often the model left the memory of the host, whoever wished it. model is its name there.',
  },
} as const satisfies Definitions
