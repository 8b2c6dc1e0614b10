/** LM Studio with three installed models, one of them loaded (lmstudio.ai/docs/api/rest-api and /docs/app/api/headless). */

import type { StubAnswer, StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const installed = [
  { id: 'qwen2-vl-7b-instruct', type: 'vlm', state: 'not-loaded' },
  { id: 'meta-llama-3.1-8b-instruct', type: 'llm', state: 'loaded' },
  { id: 'text-embedding-nomic-embed-text-v1.5', type: 'embeddings', state: 'not-loaded' },
] as const

/** Any path that it does not have is answered 200 (lmstudio-bug-tracker#618). */
const unknownPath = (method: string, path: string): StubAnswer =>
  json({ error: `Unexpected endpoint or method. (${method} ${path})` })

export const lmStudioStub: StubPlan = {
  kind: 'lm-studio',
  headers: { 'x-powered-by': 'Express', 'content-type': 'application/json; charset=utf-8' },
  answers: {
    '/api/v0/models': json({
      object: 'list',
      data: installed.map((model) => ({
        ...model,
        object: 'model',
        publisher: 'some',
        max_context_length: 32_768,
        ...(model.state === 'loaded' && { loaded_context_length: 4_096 }),
      })),
    }),
    '/v1/models': json({
      object: 'list',
      data: installed.map(({ id }) => ({ id, object: 'model', owned_by: 'organization_owner' })),
    }),
  },
  unknownPath,
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: null,
  models: installed.map(({ id, state }) => ({
    id,
    created: null,
    ownedBy: 'organization_owner',
    resident: state === 'loaded',
    contextTokens: state === 'loaded' ? 4_096 : undefined,
  })),
  slots: undefined,
}

/** The same server with the second form of its own API only. */
export const lmStudioSecondApiStub: StubPlan = {
  ...lmStudioStub,
  answers: {
    '/v1/models': lmStudioStub.answers['/v1/models']!,
    '/api/v1/models': json({
      models: installed.map(({ id, type, state }) => ({
        type: type === 'embeddings' ? 'embedding' : 'llm',
        publisher: 'some',
        key: id,
        loaded_instances: state === 'loaded' ? [{ id, config: { context_length: 4_096 } }] : [],
      })),
    }),
  },
}
