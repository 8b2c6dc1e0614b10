/** vLLM serving a model and an adapter of it (docs.vllm.ai, "OpenAI-Compatible Server"; ModelCard in its protocol). */

import type { StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const card = (id: string, parent: string | null) => ({
  id,
  object: 'model',
  created: 1_750_000_001,
  owned_by: 'vllm',
  root: id,
  parent,
  max_model_len: 32_768,
  permission: [{ id: 'modelperm-1', object: 'model_permission', created: 1_750_000_001, allow_sampling: true }],
})

export const vllmStub: StubPlan = {
  kind: 'vllm',
  headers: { server: 'uvicorn' },
  answers: {
    '/health': { status: 200, body: '' },
    '/version': json({ version: '0.22.1' }),
    '/v1/models': json({ object: 'list', data: [card('Qwen/Qwen3-8B', null), card('sql-lora', 'Qwen/Qwen3-8B')] }),
  },
  unknownPath: () => json({ detail: 'Not Found' }, 404),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: '/health',
  models: [
    { id: 'Qwen/Qwen3-8B', created: 1_750_000_001, ownedBy: 'vllm', resident: true },
    { id: 'sql-lora', created: 1_750_000_001, ownedBy: 'vllm', resident: true },
  ],
  slots: undefined,
}
