/** The table of relayed endpoints; adding one is adding a row. */
import type { OutputLimitKey } from './output-limit.ts'

export const endpointNames = [
  'chat_completions',
  'completions',
  'embeddings',
  'rerank',
  'responses',
  'messages',
  'count_tokens',
  'transcriptions',
  'translations',
  'speech',
] as const
export type EndpointName = (typeof endpointNames)[number]

/** How a streamed answer is framed, where its content and usage are, what makes it complete, and how an error is told inside it. */
export type DialectName = 'chat' | 'completions' | 'responses' | 'messages' | 'none'

export interface Endpoint {
  readonly name: EndpointName
  readonly path: string
  readonly body: 'json' | 'multipart'
  readonly dialect: DialectName
  /** `stream_options.include_usage` exists here, so the gateway may ask for usage on behalf of a client that did not. */
  readonly usageOnRequest: boolean
  /** Its answers are kept by their host and may be referred to by id, so what refers to one goes to that host. */
  readonly keepsAnswers: boolean
  /** Done twice it only costs twice, so what may have been executed may go to another host. */
  readonly repeatable: boolean
  /** How the bound of an answer's length is spelt; null where no text is generated. */
  readonly outputLimit: OutputLimitKey | null
  /** Errors are told in Anthropic's envelope instead of OpenAI's. */
  readonly anthropic: boolean
}

const row = (name: EndpointName, path: string, dialect: DialectName, more: Partial<Endpoint> = {}): Endpoint => ({
  name,
  path,
  body: 'json',
  dialect,
  usageOnRequest: false,
  keepsAnswers: false,
  repeatable: true,
  outputLimit: null,
  anthropic: false,
  ...more,
})

export const endpoints: readonly Endpoint[] = [
  row('chat_completions', '/v1/chat/completions', 'chat', { usageOnRequest: true, outputLimit: 'max_tokens' }),
  row('completions', '/v1/completions', 'completions', { usageOnRequest: true, outputLimit: 'max_tokens' }),
  row('embeddings', '/v1/embeddings', 'none'),
  row('rerank', '/v1/rerank', 'none'),
  row('responses', '/v1/responses', 'responses', {
    keepsAnswers: true,
    repeatable: false,
    outputLimit: 'max_output_tokens',
  }),
  row('messages', '/v1/messages', 'messages', { anthropic: true, outputLimit: 'max_tokens' }),
  row('count_tokens', '/v1/messages/count_tokens', 'none', { anthropic: true }),
  row('transcriptions', '/v1/audio/transcriptions', 'none', { body: 'multipart', repeatable: false }),
  row('translations', '/v1/audio/translations', 'none', { body: 'multipart', repeatable: false }),
  row('speech', '/v1/audio/speech', 'none'),
]
