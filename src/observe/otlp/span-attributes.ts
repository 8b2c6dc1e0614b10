/** What spans say, by the names of OpenTelemetry's conventions for generative AI: an allow-list, without prompts, answers, headers, addresses and secrets. */
import type { Attributes } from '@opentelemetry/api'
import { type AttemptOutcome, clientLeftStatus, endedBy, isFleetsFault, type Outcome } from '../../relay/outcome.ts'

/** `chat qwen3`; the model only where it is a known one. */
export function spanName({ endpoint, model }: Outcome): string {
  return model === null ? operations[endpoint] : `${operations[endpoint]} ${model}`
}

export function requestAttributes(outcome: Outcome): Attributes {
  const { endpoint, model, host, attemptsMade, tokens, errorCode, status, ttftMs } = outcome
  const last = attemptsMade.at(-1)
  return defined({
    ...common(endpoint, model, gateway),
    'gen_ai.request.stream': outcome.stream,
    'gen_ai.response.model': last?.model ?? null,
    'gen_ai.response.time_to_first_chunk': ttftMs === null ? null : ttftMs / 1_000,
    ...(outcome.usageSource !== 'none' && {
      'gen_ai.usage.input_tokens': tokens.input,
      'gen_ai.usage.output_tokens': tokens.output,
      'gen_ai.usage.cache_read.input_tokens': tokens.cachedInput,
    }),
    'http.request.method': 'POST',
    'http.response.status_code': status === clientLeftStatus ? null : status,
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
    ...common(endpoint, attempt.model, providerOf(attempt)),
    // Not by its address: where it is found is nobody's business.
    'lmx_gateway.host': attempt.host,
    'error.type': attempt.failure,
    'lmx_gateway.attempt': number,
    'lmx_gateway.reason': attempt.reason,
    ...ofDecision(attempt),
    'lmx_gateway.sent_ms': since(attempt.beganMs, attempt.sentMs),
    'lmx_gateway.head_ms': since(attempt.beganMs, attempt.headMs),
  })
}

/** How its host was chosen, and what was foreseen of it: beside the spans of what came. */
function ofDecision({ decision }: AttemptOutcome) {
  if (decision === null) return {}
  const [chosen] = decision.places
  return {
    'lmx_gateway.policy': decision.policy,
    'lmx_gateway.places_considered': decision.places.length,
    'lmx_gateway.predicted_first_token_ms': chosen.firstTokenMs,
    'lmx_gateway.predicted_cached_tokens': chosen.cachedTokens,
  }
}

/** By a host or by the gateway: what a client got wrong, and that it left, is no failure of the request's server. */
export function requestFailed(outcome: Outcome): boolean {
  return outcome.status >= 500 || isFleetsFault(outcome) || endedBy(outcome.end) === 'operator'
}

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

/** The conventions' own names are of vendors with a price; who computes here is one's own host. */
const gateway = 'lmx-gateway'

/** What runs on the host. A server that is only like OpenAI's must not pass for the vendor. */
function providerOf({ kind }: AttemptOutcome): string {
  return kind === null || kind === 'openai' ? gateway : kind
}

function common(endpoint: Outcome['endpoint'], model: string | null, provider: string) {
  return {
    'gen_ai.operation.name': operations[endpoint],
    'gen_ai.provider.name': provider,
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
