/** What spans say, by the names of OpenTelemetry's conventions for generative AI: an allow-list, without prompts, answers, headers, addresses and secrets. */
import type { Attributes } from '@opentelemetry/api'
import type { AttemptOutcome, Outcome } from '../../relay/outcome.ts'

/** `chat qwen3`; the model only where it is a known one. */
export function spanName({ endpoint, model }: Outcome): string {
  return model === null ? operations[endpoint] : `${operations[endpoint]} ${model}`
}

export function requestAttributes(outcome: Outcome): Attributes {
  const { endpoint, model, host, attemptsMade, tokens, errorCode, status, ttftMs } = outcome
  const last = attemptsMade.at(-1)
  return defined({
    ...common(endpoint, model),
    'gen_ai.request.stream': outcome.stream,
    'gen_ai.response.model': last?.model ?? null,
    'gen_ai.response.time_to_first_chunk': ttftMs === null ? null : ttftMs / 1_000,
    ...(outcome.usageSource !== 'none' && {
      'gen_ai.usage.input_tokens': tokens.input,
      'gen_ai.usage.output_tokens': tokens.output,
      'gen_ai.usage.cache_read.input_tokens': tokens.cachedInput,
    }),
    'http.request.method': 'POST',
    'http.response.status_code': status === clientLeft ? null : status,
    'error.type': errorCode,
    'lmx_gateway.request_id': outcome.id,
    'lmx_gateway.endpoint': endpoint,
    'lmx_gateway.key': outcome.key,
    'lmx_gateway.class': outcome.class,
    'lmx_gateway.end': outcome.end,
    'lmx_gateway.host': host,
    'lmx_gateway.reason': last?.reason ?? null,
    'lmx_gateway.attempts': outcome.attempts,
    'lmx_gateway.queue_ms': outcome.queueWaitMs,
    'lmx_gateway.usage_source': outcome.usageSource,
  })
}

export function attemptAttributes({ endpoint }: Outcome, attempt: AttemptOutcome, number: number): Attributes {
  return defined({
    ...common(endpoint, attempt.model),
    // By its name: where it is found is nobody's business.
    'server.address': attempt.host,
    'error.type': attempt.failure,
    'lmx_gateway.attempt': number,
    'lmx_gateway.reason': attempt.reason,
    'lmx_gateway.sent_ms': since(attempt.beganMs, attempt.sentMs),
    'lmx_gateway.head_ms': since(attempt.beganMs, attempt.headMs),
  })
}

/** By a host or by the gateway: what a client got wrong, and that it left, is no failure of the request's server. */
export function requestFailed({ end, status }: Outcome): boolean {
  return status >= 500 || 'UuRA'.includes(end.charAt(0))
}

/** What is logged for a client that left was never sent to it. */
const clientLeft = 499

/** Those that the conventions know are called as there. */
const operations: Readonly<Record<Outcome['endpoint'], string>> = {
  chat_completions: 'chat',
  responses: 'chat',
  messages: 'chat',
  completions: 'text_completion',
  embeddings: 'embeddings',
  rerank: 'rerank',
  count_tokens: 'count_tokens',
  transcriptions: 'transcription',
  translations: 'translation',
  speech: 'speech',
}

function common(endpoint: Outcome['endpoint'], model: string | null) {
  return {
    'gen_ai.operation.name': operations[endpoint],
    // The conventions' own names are of vendors with a price; who computes here is one's own host.
    'gen_ai.provider.name': 'lmx-gateway',
    'gen_ai.request.model': model,
  }
}

function since(beganMs: number, ms: number | null): number | null {
  return ms === null ? null : ms - beganMs
}

function defined(attributes: Readonly<Record<string, string | number | boolean | null>>): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  )
}
