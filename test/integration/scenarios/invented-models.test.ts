/** What clients make up: names that stand nowhere else may not become labels, or each would be a series for ever. */
import { expect, test } from 'vitest'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { jsonRequestBytes, requestBytes } from '../../kit/http-bytes.ts'
import { readExposition } from '../../kit/scripted-sources.ts'
import { chatBytes, errorOf, type Scene, scenario } from './scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const invented = isLong ? 100_000 : 1_000
const clients = 8

test(
  `S12: ${invented} invented model names: not one series more, and other grows`,
  () =>
    scenario({}, async (scene) => {
      const asked = (index: number) => chatBytes({ model: `invented-${index}` })
      expect(errorOf(await scene.ask(asked(-1))).code).toBe('model_not_found')
      const before = await seriesOf(scene)
      await Promise.all(
        Array.from({ length: clients }, async (_, client) => {
          const connection = await scene.connect()
          for (let index = client; index < invented; index += clients) {
            await connection.send(asked(index))
            const refusal = await connection.response()
            await refusal.over()
            expect(refusal.status).toBe(404)
          }
        }),
      )
      const after = await seriesOf(scene)
      expect([...after.keys()]).toEqual([...before.keys()])
      const refused = { endpoint: 'chat_completions', model: 'other', status: '404' }
      expect(await scene.gateway.sum('requests_total', refused)).toBe(invented + 1)
      return { requests: invented + 1, attempts: {} }
    }),
  isLong ? 1_800_000 : 60_000,
)

test('whatever a client makes up, in any field or header, is no label value', () =>
  scenario({}, async (scene) => {
    const headers = {
      'x-request-id': 'invented-id',
      'x-lmx-gateway-priority': 'interactive',
      'x-priority': 'invented-priority',
      'x-client-id': 'invented-client',
      'openai-organization': 'invented-organization',
      'user-agent': 'invented-agent',
      authorization: 'Bearer invented-key',
      traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`,
      tracestate: 'invented=state',
    }
    const body = { user: 'invented-user', metadata: { team: 'invented-team' }, service_tier: 'invented-tier' }
    const messages = [{ role: 'user', content: 'hello' }]
    const told = [
      await scene.ask(
        jsonRequestBytes('/v1/chat/completions', { model: 'invented-model', messages, ...body }, headers),
      ),
      await scene.ask(jsonRequestBytes('/v1/invented-path', { model: 'invented-model' }, headers)),
      await scene.ask(jsonRequestBytes('/v1/embeddings', { model: 'invented-model', input: 'x', ...body }, headers)),
      await scene.ask(
        jsonRequestBytes(
          '/v1/chat/completions',
          { model: 'm', messages },
          { 'x-lmx-gateway-priority': 'invented-class' },
        ),
      ),
      await scene.ask(requestBytes('GET', '/v1/models/invented-model', headers)),
      await scene.ask(requestBytes('INVENT', '/v1/chat/completions', headers)),
    ]
    expect(told.map(({ status }) => status >= 400)).toEqual(told.map(() => true))
    expect(await scene.gateway.metrics()).not.toMatch(/invent/i)
    expect(await scene.gateway.sum('requests_total')).toBeGreaterThan(0)
    return { requests: scene.gateway.outcomes().length, attempts: {} }
  }))

async function seriesOf(scene: Scene): Promise<ReadonlyMap<string, number>> {
  const all = readExposition(await scene.gateway.metrics())
  return new Map([...all].filter(([series]) => series.startsWith(metricPrefix)))
}
