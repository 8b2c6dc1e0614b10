/** A server that has OpenAI's list of models and nothing else to be known by. */

import type { StubPlan } from './stub-server.ts'
import { json } from './stub-server.ts'

export const openaiStub: StubPlan = {
  kind: 'openai',
  headers: { server: 'uvicorn' },
  answers: {
    '/health': json({ status: 'ok' }),
    '/v1/models': json({
      object: 'list',
      data: [{ id: 'house-model', object: 'model', created: 1_750_000_000, owned_by: 'house' }],
    }),
  },
  unknownPath: () => json({ detail: 'Not Found' }, 404),
  list: { path: '/v1/models', member: 'data', id: 'id' },
  healthPath: null,
  models: [{ id: 'house-model', created: 1_750_000_000, ownedBy: 'house', resident: true }],
  slots: undefined,
}
