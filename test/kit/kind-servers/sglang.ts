/** SGLang serving one model (its srt/entrypoints/openai/protocol.py, and its documentation of production metrics). */

import type { StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const modelName = 'Qwen/Qwen3-30B-A3B'

export const sglangStub: StubPlan = {
  kind: 'sglang',
  headers: { server: 'uvicorn' },
  answers: {
    // Asking for it would generate a token.
    '/health': { status: 200, body: '' },
    '/v1/models': json({
      object: 'list',
      data: [
        {
          id: modelName,
          object: 'model',
          created: 1_750_000_004,
          owned_by: 'sglang',
          root: modelName,
          parent: null,
          max_model_len: 40_960,
        },
      ],
    }),
    '/metrics': {
      status: 200,
      body: [
        '# TYPE sglang:num_running_reqs gauge',
        `sglang:num_running_reqs{engine_type="unified",model_name="${modelName}"} 4.0`,
        `sglang:num_queue_reqs{engine_type="unified",model_name="${modelName}"} 2.0`,
        `sglang:token_usage{engine_type="unified",model_name="${modelName}"} 0.28`,
        '',
      ].join('\n'),
    },
  },
  unknownPath: () => json({ detail: 'Not Found' }, 404),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: null,
  models: [{ id: modelName, created: 1_750_000_004, ownedBy: 'sglang', resident: true, contextTokens: 40_960 }],
  slots: undefined,
  signals: { running: 4, queued: 2, cacheUsedRatio: 0.28 },
}
