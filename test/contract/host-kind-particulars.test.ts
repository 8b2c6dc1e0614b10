/** What only one kind of server does. */

import { afterEach, describe, expect, it } from 'vitest'
import type { HostKind, HostKindName, ProbeResult } from '../../src/hosts/kinds/host-kind.ts'
import { detectKind, hostKind } from '../../src/hosts/kinds/kinds.ts'
import {
  llamaCppLoading,
  llamaCppProps,
  llamaCppRouterProps,
  llamaCppRouterStub,
  llamaCppStub,
} from '../kit/kind-servers/llama-cpp.ts'
import { lmStudioStub } from '../kit/kind-servers/lm-studio.ts'
import { captured, lmxShedding, lmxStub } from '../kit/kind-servers/lmx.ts'
import { ollamaStub } from '../kit/kind-servers/ollama.ts'
import { openaiStub } from '../kit/kind-servers/openai.ts'
import { probeGet } from '../kit/kind-servers/probe-get.ts'
import { json, type StubAnswer, type StubPlan, type StubServer, startStub } from '../kit/kind-servers/stub-server.ts'
import { vllmStub } from '../kit/kind-servers/vllm.ts'
import { within } from '../kit/within.ts'
import { harmlessRequests } from './host-kind.contract.ts'

const stubs: StubServer[] = []

afterEach(async () => {
  const ended = stubs.splice(0)
  await Promise.all(ended.map((stub) => stub.close()))
  expect(ended.flatMap(({ requests }) => requests).filter((request) => !harmlessRequests.has(request))).toEqual([])
})

async function start(plan: StubPlan, answers: Record<string, StubAnswer> = {}): Promise<StubServer> {
  const stub = await startStub(plan)
  stubs.push(stub)
  for (const [path, answer] of Object.entries(answers)) stub.set(path, answer)
  return stub
}

async function probe(
  name: HostKindName,
  plan: StubPlan,
  answers: Record<string, StubAnswer> = {},
): Promise<ProbeResult> {
  const stub = await start(plan, answers)
  return within(5_000, 'the probe', hostKind(name).probe(probeGet(stub.url)))
}

async function detect(plan: StubPlan, answers: Record<string, StubAnswer> = {}): Promise<HostKind> {
  const stub = await start(plan, answers)
  return within(5_000, 'detection', detectKind(probeGet(stub.url)))
}

const ids = ({ models }: ProbeResult) => models?.map(({ id }) => id)
const resident = ({ models }: ProbeResult) => models?.filter((model) => model.resident).map(({ id }) => id)

/** LMX answers every path but three so; the answers of its health checks stay. */
const allShedding = Object.fromEntries(
  ['/.well-known/opta-lmx', '/v1/discovery', '/v1/models', '/health', '/version', '/props', '/api/version'].map(
    (path) => [path, lmxShedding],
  ),
)

describe('lmx', () => {
  it('is alive but takes no work, and keeps its models, while its memory is nearly full', async () => {
    const { models, shedding, listProblem } = await probe('lmx', lmxStub, allShedding)
    expect(models).toBeNull()
    expect(shedding).toContain('memory')
    expect(listProblem).toBeUndefined()
  })

  it('is detected even while its memory is nearly full', async () => {
    expect((await detect(lmxStub, allShedding)).name).toBe('lmx')
  })

  it('is not seen in every server that is overloaded', async () => {
    await expect(detect(openaiStub, allShedding)).rejects.toThrow('its kind cannot be told')
  })

  it('is recognised by its second path of discovery where the first is not let through', async () => {
    expect((await detect(lmxStub, { '/.well-known/opta-lmx': json({ detail: 'Not Found' }, 404) })).name).toBe('lmx')
  })

  it('tells how many requests it is working on', async () => {
    const busy = { '/.well-known/opta-lmx': captured('discovery.busy') }
    expect((await probe('lmx', lmxStub, busy)).running).toBe(2)
  })

  it.each([
    ['is not let through', json({ detail: 'Not Found' }, 404)],
    ['has another number', json({ service: 'opta-lmx', in_flight_requests: -1 })],
    ['has no number', json({ service: 'opta-lmx', in_flight_requests: '2' })],
    ['is refused for want of memory', lmxShedding],
  ])('lists its models all the same when its discovery %s', async (_what, answer) => {
    const result = await probe('lmx', lmxStub, { '/.well-known/opta-lmx': answer })
    expect(ids(result)).toEqual(['org/stub-a'])
    expect(result.running).toBeUndefined()
  })

  it('is up with no model loaded, though it says that it is not ready', async () => {
    const { models, shedding } = await probe('lmx', lmxStub, {
      '/readyz': json({ status: 'unavailable', reason: 'no models loaded' }, 503),
      '/v1/models': json({ object: 'list', data: [] }),
    })
    expect({ models, shedding }).toEqual({ models: [] })
  })
})

describe('openai', () => {
  it('needs no list of models: it is alive, and its models are to be configured', async () => {
    const noList = { '/v1/models': json({ detail: 'Not Found' }, 404) }
    expect((await detect(openaiStub, noList)).name).toBe('openai')
    const { models, shedding, listProblem } = await probe('openai', openaiStub, noList)
    expect({ models, shedding }).toEqual({ models: null })
    expect(listProblem).toContain('name what it serves in the models of this host')
  })

  it.each([401, 403])('is not guessed from a %d, which hides what the server is', async (status) => {
    await expect(detect(openaiStub, { '/v1/models': json({ error: 'no' }, status) })).rejects.toThrow(/apiKey/)
  })

  const ownerless = json({ object: 'list', data: [{ id: 'house-model', object: 'model' }] })

  it.each([
    ['has /api/version but not Ollama’s lists, as Open WebUI', { '/api/version': json({ version: '0.6.5' }) }],
    ['has /version but models of another owner', { '/version': json({ version: '1.0.0' }) }],
    ['lists models without an owner, but is not made of Python’s http.server', { '/v1/models': ownerless }],
    ['answers LM Studio’s path with a plain list', { '/api/v0/models': ownerless }],
  ])('is what a server is taken for that %s', async (_what, answers) => {
    const stub = await start(openaiStub, answers)
    expect((await within(5_000, 'detection', detectKind(probeGet(stub.url)))).name).toBe('openai')
    expect(stub.requests).toEqual([...new Set(stub.requests)])
  })
})

describe('vllm', () => {
  it('is down when its engine has died', async () => {
    await expect(probe('vllm', vllmStub, { '/health': { status: 503, body: '' } })).rejects.toThrow(
      'GET /health with 503',
    )
  })

  it('asks for apiKey when it is started with one, which guards /v1 alone', async () => {
    const keyed = { '/v1/models': json({ error: 'Unauthorized' }, 401) }
    await expect(detect(vllmStub, keyed)).rejects.toThrow(/apiKey/)
  })
})

describe('llama-cpp', () => {
  const loading = Object.fromEntries(
    ['/health', '/props', '/v1/models', '/api/tags', '/api/version', '/version'].map((path) => [path, llamaCppLoading]),
  )

  it('is alive but takes no work while it loads its model', async () => {
    const { models, shedding } = await probe('llama-cpp', llamaCppStub, loading)
    expect(models).toBeNull()
    expect(shedding).toContain('loading')
  })

  it('is detected while it loads', async () => {
    expect((await detect(llamaCppStub, loading)).name).toBe('llama-cpp')
  })

  it('is down when a 503 is not about loading', async () => {
    const answers = { '/health': { status: 503, body: 'no server' } }
    await expect(probe('llama-cpp', llamaCppStub, answers)).rejects.toThrow('GET /health with 503')
  })

  it('is recognised behind a proxy that changes the server header', async () => {
    const hidden = { ...llamaCppStub, headers: { server: 'nginx' } }
    expect((await detect(hidden)).name).toBe('llama-cpp')
  })

  it.each([0, -1, 1.5, '4', null, 1_025])('does not believe %j slots', async (slots) => {
    const props = { '/props': json({ ...llamaCppProps, total_slots: slots }) }
    expect((await probe('llama-cpp', llamaCppStub, props)).slots).toBeUndefined()
  })

  it('believes 1,024 slots', async () => {
    const props = { '/props': json({ ...llamaCppProps, total_slots: 1_024 }) }
    expect((await probe('llama-cpp', llamaCppStub, props)).slots).toBe(1_024)
  })

  it('asks for apiKey when only /props is guarded', async () => {
    await expect(probe('llama-cpp', llamaCppStub, { '/props': json({ error: {} }, 401) })).rejects.toThrow(/apiKey/)
  })

  it('has no model in memory while it sleeps', async () => {
    const result = await probe('llama-cpp', llamaCppStub, { '/props': json({ ...llamaCppProps, is_sleeping: true }) })
    expect(ids(result)).toEqual(['llama-8b'])
    expect(resident(result)).toEqual([])
  })

  it('offers only what is loaded when its router does not load on request', async () => {
    const props = { '/props': json({ ...llamaCppRouterProps, models_autoload: false }) }
    const result = await probe('llama-cpp', llamaCppRouterStub, props)
    expect(ids(result)).toEqual(['loaded', 'sleeping'])
    expect(resident(result)).toEqual(['loaded'])
  })
})

describe('ollama', () => {
  it('gives every model the time to load when it does not say what is running', async () => {
    const result = await probe('ollama', ollamaStub, { '/api/ps': { status: 404, body: '404 page not found' } })
    expect(ids(result)).toEqual(['codellama:13b', 'llama3:latest'])
    expect(resident(result)).toEqual([])
  })

  it('offers no model that runs in its maker’s cloud', async () => {
    const models = [
      { name: 'cloud', remote_host: 'https://ollama.com:443' },
      { name: 'here', remote_host: '' },
    ]
    expect(ids(await probe('ollama', ollamaStub, { '/api/tags': json({ models }) }))).toEqual(['here'])
    const onlyCloud = { '/api/tags': json({ models: models.slice(0, 1) }) }
    expect(await probe('ollama', ollamaStub, onlyCloud)).toEqual({ models: [] })
  })
})

describe('lm-studio', () => {
  it('offers only what is loaded when loading on demand is off', async () => {
    const loadedOnly = json({ object: 'list', data: [{ id: 'meta-llama-3.1-8b-instruct', object: 'model' }] })
    const result = await probe('lm-studio', lmStudioStub, { '/v1/models': loadedOnly })
    expect(ids(result)).toEqual(['meta-llama-3.1-8b-instruct'])
    expect(resident(result)).toEqual(['meta-llama-3.1-8b-instruct'])
  })

  it('gives every model the time to load when it does not say what is loaded', async () => {
    const result = await probe('lm-studio', lmStudioStub, { '/api/v0/models': json({ error: 'gone' }) })
    expect(ids(result)).toHaveLength(3)
    expect(resident(result)).toEqual([])
  })

  it('asks for apiKey when it wants a token', async () => {
    const guarded = Object.fromEntries(
      ['/v1/models', '/api/v0/models', '/api/v1/models'].map((path) => [path, json({ error: 'token' }, 401)]),
    )
    await expect(detect(lmStudioStub, guarded)).rejects.toThrow(/apiKey/)
  })
})

describe('a host that fails while it is being detected', () => {
  it.each([500, 503])('is not taken for another kind on the word of a %d', async (status) => {
    const answers = { '/v1/models': { status, body: 'later' } }
    await expect(detect(openaiStub, answers)).rejects.toThrow(`with ${status}, so its kind cannot be told`)
  })
})
