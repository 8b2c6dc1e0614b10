/** LMX's own counters, in its Prometheus text: names, order and formats of `/admin/metrics`. */

interface RequestRecord {
  model: string
  seconds: number
  promptTokens: number
  completionTokens: number
  stream: boolean
  error: boolean
  client: string | undefined
}

interface LiveGauges {
  uptimeSeconds: number
  loadedModels: number
  memoryUsedGb: number
  memoryTotalGb: number
  inFlight: number
  limit: number
  queued: number
}

interface Tally {
  requests: number
  errors: number
  tokens: number
}

interface ModelTally extends Tally {
  buckets: number[]
  secondsSum: number
}

const bounds = ['0.1', '0.25', '0.5', '1.0', '2.5', '5.0', '10.0', '30.0', '60.0']

export class RequestMetrics {
  requests = 0
  errors = 0
  streams = 0
  promptTokens = 0
  completionTokens = 0
  readonly #models = new Map<string, ModelTally>()
  readonly #clients = new Map<string, Tally>()

  record(record: RequestRecord): void {
    this.requests += 1
    if (record.stream) this.streams += 1
    if (record.error) this.errors += 1
    this.promptTokens += record.promptTokens
    this.completionTokens += record.completionTokens
    const model = this.#model(record.model)
    add(model, record)
    model.secondsSum += record.seconds
    bounds.forEach((bound, i) => {
      if (record.seconds <= Number(bound)) model.buckets[i] = (model.buckets[i] ?? 0) + 1
    })
    if (record.client === undefined) return
    const client = this.#clients.get(record.client) ?? { requests: 0, errors: 0, tokens: 0 }
    this.#clients.set(record.client, client)
    add(client, record)
  }

  text(live: LiveGauges): string {
    return [...this.#totals(), ...this.#perLabel(), ...this.#histogram(), ...gauges(live), ''].join('\n')
  }

  /** `/admin/metrics/json`. */
  summary(uptimeSeconds: number): unknown {
    const tallies = (map: ReadonlyMap<string, Tally>) =>
      Object.fromEntries(
        sorted(map).map(([name, { requests, errors, tokens }]) => [
          name,
          { requests, errors, completion_tokens: tokens },
        ]),
      )
    const { requests, errors, streams, promptTokens, completionTokens } = this
    return {
      total_requests: requests,
      total_errors: errors,
      total_stream_requests: streams,
      total_prompt_tokens: promptTokens,
      total_completion_tokens: completionTokens,
      speculative: { accepted_tokens: 0, rejected_tokens: 0, ignored_tokens: 0, acceptance_ratio: null },
      per_model: tallies(this.#models),
      uptime_seconds: uptimeSeconds,
      per_client: tallies(this.#clients),
    }
  }

  #model(name: string): ModelTally {
    let tally = this.#models.get(name)
    if (tally === undefined) {
      tally = { requests: 0, errors: 0, tokens: 0, buckets: bounds.map(() => 0), secondsSum: 0 }
      this.#models.set(name, tally)
    }
    return tally
  }

  #totals(): string[] {
    const counter = (name: string, help: string, value: number) => [...head(name, help, 'counter'), `${name} ${value}`]
    const speculative = (name: string, help: string) => counter(`lmx_speculative_${name}_tokens_total`, help, 0)
    const ratio = 'lmx_speculative_acceptance_ratio'
    return [
      ...counter('lmx_requests_total', 'Total inference requests.', this.requests),
      ...counter('lmx_errors_total', 'Total failed inference requests.', this.errors),
      ...counter('lmx_stream_requests_total', 'Total streaming requests.', this.streams),
      ...counter('lmx_prompt_tokens_total', 'Total prompt tokens processed.', this.promptTokens),
      ...counter('lmx_completion_tokens_total', 'Total completion tokens generated.', this.completionTokens),
      ...speculative('accepted', 'Total accepted speculative draft tokens.'),
      ...speculative('rejected', 'Total rejected speculative draft tokens.'),
      ...speculative('ignored', 'Total speculative-ignored completion tokens.'),
      ...head(ratio, 'Accepted speculative tokens ratio (accepted/(accepted+rejected)).', 'gauge'),
      `${ratio} NaN`,
    ]
  }

  #perLabel(): string[] {
    const models = sorted(this.#models)
    const clients = sorted(this.#clients)
    const failed = models.filter(([, tally]) => tally.errors > 0)
    const failedClients = clients.filter(([, tally]) => tally.errors > 0)
    const lines = [
      ...family('lmx_model_requests_total', 'Requests per model.', models, 'model', 'requests'),
      ...family('lmx_model_errors_total', 'Errors per model.', failed, 'model', 'errors'),
      ...family('lmx_model_tokens_total', 'Completion tokens per model.', models, 'model', 'tokens'),
    ]
    if (clients.length === 0) return lines
    return [
      ...lines,
      ...family('lmx_client_requests_total', 'Requests per client.', clients, 'client', 'requests'),
      ...family('lmx_client_tokens_total', 'Completion tokens per client.', clients, 'client', 'tokens'),
      ...family('lmx_client_errors_total', 'Errors per client.', failedClients, 'client', 'errors'),
    ]
  }

  #histogram(): string[] {
    const name = 'lmx_request_duration_seconds'
    const lines = head(name, 'Request latency histogram.', 'histogram')
    for (const [model, tally] of sorted(this.#models)) {
      bounds.forEach((bound, i) => {
        lines.push(`${name}_bucket{model="${model}",le="${bound}"} ${tally.buckets[i]}`)
      })
      lines.push(
        `${name}_bucket{model="${model}",le="+Inf"} ${tally.requests}`,
        `${name}_sum{model="${model}"} ${tally.secondsSum.toFixed(6)}`,
        `${name}_count{model="${model}"} ${tally.requests}`,
      )
    }
    return lines
  }
}

function gauges(live: LiveGauges): string[] {
  const gauge = (name: string, help: string, value: string) => [...head(name, help, 'gauge'), `${name} ${value}`]
  return [
    ...gauge('lmx_uptime_seconds', 'Server uptime.', live.uptimeSeconds.toFixed(1)),
    ...gauge('lmx_loaded_models', 'Number of currently loaded models.', String(live.loadedModels)),
    ...gauge('lmx_memory_used_gb', 'Unified memory used in GB.', live.memoryUsedGb.toFixed(2)),
    ...gauge('lmx_memory_total_gb', 'Total unified memory in GB.', live.memoryTotalGb.toFixed(2)),
    ...gauge('lmx_in_flight_requests', 'Currently active inference requests.', String(live.inFlight)),
    ...gauge('lmx_concurrent_limit', 'Max concurrent inference requests allowed.', String(live.limit)),
    ...gauge('lmx_queued_requests', 'Requests waiting for inference semaphore.', String(live.queued)),
  ]
}

function add(tally: Tally, record: RequestRecord): void {
  tally.requests += 1
  tally.tokens += record.completionTokens
  if (record.error) tally.errors += 1
}

function head(name: string, help: string, type: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
}

/** Label values are not escaped, as in LMX. */
function family(
  name: string,
  help: string,
  tallies: readonly [string, Tally][],
  label: string,
  field: keyof Tally,
): string[] {
  return [
    ...head(name, help, 'counter'),
    ...tallies.map(([value, tally]) => `${name}{${label}="${value}"} ${tally[field]}`),
  ]
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].toSorted(([a], [b]) => (a < b ? -1 : 1))
}
