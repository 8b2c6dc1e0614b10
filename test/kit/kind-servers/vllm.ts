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
    '/metrics': {
      status: 200,
      body: [
        '# HELP vllm:num_requests_running Number of requests in model execution batches.',
        '# TYPE vllm:num_requests_running gauge',
        'vllm:num_requests_running{engine="0",model_name="Qwen/Qwen3-8B"} 3.0',
        'vllm:num_requests_running{engine="1",model_name="Qwen/Qwen3-8B"} 2.0',
        'vllm:num_requests_waiting{engine="0",model_name="Qwen/Qwen3-8B"} 1.0',
        'vllm:num_requests_waiting{engine="1",model_name="Qwen/Qwen3-8B"} 0.0',
        'vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 7.0',
        'vllm:kv_cache_usage_perc{engine="0",model_name="Qwen/Qwen3-8B"} 0.25',
        'vllm:kv_cache_usage_perc{engine="1",model_name="Qwen/Qwen3-8B"} 0.5',
        '',
      ].join('\n'),
    },
    '/version': json({ version: '0.22.1' }),
    '/v1/models': json({ object: 'list', data: [card('Qwen/Qwen3-8B', null), card('sql-lora', 'Qwen/Qwen3-8B')] }),
  },
  unknownPath: () => json({ detail: 'Not Found' }, 404),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: '/health',
  models: [
    { id: 'Qwen/Qwen3-8B', created: 1_750_000_001, ownedBy: 'vllm', resident: true, contextTokens: 32_768 },
    { id: 'sql-lora', created: 1_750_000_001, ownedBy: 'vllm', resident: true, contextTokens: 32_768 },
  ],
  slots: undefined,
  signals: { running: 5, queued: 1, cacheUsedRatio: 0.5 },
}
