/** mlx_lm.server with two models in its download cache (mlx_lm/server.py of mlx-lm: do_GET, handle_models_request). */

import type { StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

export const mlxLmStub: StubPlan = {
  kind: 'mlx-lm',
  headers: {
    server: 'BaseHTTP/0.6 Python/3.12.1',
    'content-type': 'application/json',
    'access-control-allow-origin': '*',
  },
  answers: {
    '/health': { status: 200, body: '{"status": "ok"}' },
    '/v1/models': json({
      object: 'list',
      data: [
        { id: 'mlx-community/Qwen3-4B-4bit', object: 'model', created: 1_750_000_003 },
        { id: 'mlx-community/Llama-3.2-3B-Instruct-4bit', object: 'model', created: 1_750_000_003 },
      ],
    }),
  },
  unknownPath: () => ({ status: 404, body: 'Not Found' }),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: '/health',
  models: [
    { id: 'mlx-community/Qwen3-4B-4bit', created: 1_750_000_003, ownedBy: null, resident: false },
    { id: 'mlx-community/Llama-3.2-3B-Instruct-4bit', created: 1_750_000_003, ownedBy: null, resident: false },
  ],
  slots: undefined,
}
