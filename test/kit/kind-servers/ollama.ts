/** Ollama with two installed models, one of them running, and one of its cloud models (docs/api.md of Ollama). */

import type { StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

const details = { format: 'gguf', family: 'llama', families: null, parameter_size: '13B', quantization_level: 'Q4_0' }

export const ollamaStub: StubPlan = {
  kind: 'ollama',
  headers: { 'content-type': 'application/json; charset=utf-8' },
  answers: {
    '/': { status: 200, body: 'Ollama is running' },
    '/api/version': json({ version: '0.12.6' }),
    '/api/tags': json({
      models: [
        {
          name: 'codellama:13b',
          model: 'codellama:13b',
          modified_at: '2023-11-04T14:56:49.277302595-07:00',
          size: 7_365_960_935,
          digest: '9f438cb9cd581fc025612d27f7c1a6669ff83a8bb0ed86c94fcf4c5440555697',
          details,
        },
        { name: 'llama3:latest', model: 'llama3:latest', modified_at: '2023-12-07T09:32:18Z', size: 3, details },
        {
          name: 'gpt-oss:120b-cloud',
          model: 'gpt-oss:120b-cloud',
          remote_model: 'gpt-oss:120b',
          remote_host: 'https://ollama.com:443',
          modified_at: '2025-10-01T00:00:00Z',
          size: 384,
        },
      ],
    }),
    '/api/ps': json({
      models: [
        {
          name: 'llama3:latest',
          model: 'llama3:latest',
          expires_at: '2024-06-04T14:38:31Z',
          size_vram: 3,
          context_length: 4_096,
        },
      ],
    }),
    '/v1/models': json({
      object: 'list',
      data: [{ id: 'llama3:latest', object: 'model', created: 1_701_941_538, owned_by: 'library' }],
    }),
  },
  unknownPath: () => ({ status: 404, body: '404 page not found', headers: { 'content-type': 'text/plain' } }),
  list: { path: '/api/tags', member: 'models', id: 'name' },
  healthPath: '/api/version',
  models: [
    { id: 'codellama:13b', created: 1_699_135_009, ownedBy: null, resident: false },
    { id: 'llama3:latest', created: 1_701_941_538, ownedBy: null, resident: true, contextTokens: 4_096 },
  ],
  slots: undefined,
}
