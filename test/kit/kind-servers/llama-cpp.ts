/** llama-server with one model, and as a router (tools/server/README.md and server-http.cpp of llama.cpp). */

import type { StubAnswer, StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const error = (message: string, type: string, code: number): StubAnswer =>
  json({ error: { message, type, code } }, code)

/** Every path is answered so until the model is loaded. */
export const llamaCppLoading = error('Loading model', 'unavailable_error', 503)

export const llamaCppProps = {
  default_generation_settings: { id: 0, n_ctx: 1024, params: { temperature: 0.8 } },
  total_slots: 3,
  model_path: '../models/Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf',
  chat_template: '{{ messages }}',
  build_info: 'b6000-abcdef12',
  is_sleeping: false,
}

export const llamaCppStub: StubPlan = {
  kind: 'llama-cpp',
  headers: { server: 'llama.cpp', 'content-type': 'application/json; charset=utf-8' },
  answers: {
    '/health': json({ status: 'ok' }),
    '/props': json(llamaCppProps),
    '/slots': json([
      { id: 0, n_ctx: 1024, is_processing: true, prompt: 'of somebody' },
      { id: 1, n_ctx: 1024, is_processing: false },
      { id: 2, n_ctx: 1024, is_processing: true },
    ]),
    '/v1/models': json({
      // The form of Ollama's list stands beside OpenAI's in the same answer.
      models: [{ name: 'llama-8b', model: 'llama-8b', capabilities: ['completion'] }],
      object: 'list',
      data: [{ id: 'llama-8b', object: 'model', created: 1_750_000_002, owned_by: 'llamacpp', meta: { n_params: 8 } }],
    }),
  },
  unknownPath: (_method, path) => {
    if (path === '/metrics') return error('This server does not support metrics endpoint.', 'not_supported_error', 501)
    return error('File Not Found', 'not_found_error', 404)
  },
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: '/health',
  models: [{ id: 'llama-8b', created: 1_750_000_002, ownedBy: 'llamacpp', resident: true, contextTokens: 1_024 }],
  slots: 3,
  signals: { running: 2 },
}

const routed = (id: string, status: object) => ({
  id,
  object: 'model',
  owned_by: 'llamacpp',
  created: 1_750_000_002,
  status,
})

export const llamaCppRouterProps = {
  role: 'router',
  max_instances: 4,
  models_autoload: true,
  model_alias: 'llama-server',
  model_path: 'none',
  default_generation_settings: { params: {}, n_ctx: 0 },
}

/** A router before five models, one in each state that the README names. */
export const llamaCppRouterStub: StubPlan = {
  ...llamaCppStub,
  answers: {
    '/health': json({ status: 'ok' }),
    '/props': json(llamaCppRouterProps),
    '/v1/models': json({
      object: 'list',
      data: [
        routed('loaded', { value: 'loaded', args: ['llama-server', '-ctx', '4096'] }),
        routed('loading', { value: 'loading' }),
        routed('unloaded', { value: 'unloaded' }),
        routed('sleeping', { value: 'sleeping' }),
        routed('downloading', { value: 'downloading', progress: {} }),
      ],
    }),
  },
  models: [
    { id: 'loaded', created: 1_750_000_002, ownedBy: 'llamacpp', resident: true },
    { id: 'loading', created: 1_750_000_002, ownedBy: 'llamacpp', resident: false },
    { id: 'unloaded', created: 1_750_000_002, ownedBy: 'llamacpp', resident: false },
    { id: 'sleeping', created: 1_750_000_002, ownedBy: 'llamacpp', resident: false },
  ],
  slots: undefined,
  signals: {},
}
