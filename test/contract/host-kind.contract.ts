/** What every host kind must do, held against a stub of its server. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProbeGet, ProbeResult, SignalsSituation } from '../../src/hosts/kinds/host-kind.ts'
import { detectKind, hostKind, hostKinds } from '../../src/hosts/kinds/kinds.ts'
import { modelIdCharsMax, modelsPerHostMax } from '../../src/hosts/kinds/model-list.ts'
import { endpointNames } from '../../src/wire/endpoints.ts'
import { probeGet } from '../kit/kind-servers/probe-get.ts'
import { json, type StubPlan, type StubServer, startStub } from '../kit/kind-servers/stub-server.ts'
import { within } from '../kit/within.ts'

/** All that may ever be asked of a host by detection and probes: lists and health, nothing that loads, wakes or bills a model. */
export const harmlessRequests: ReadonlySet<string> = new Set([
  'GET /.well-known/opta-lmx',
  'GET /v1/discovery',
  'GET /healthz',
  'GET /health',
  'GET /version',
  'GET /props',
  'GET /v1/models',
  'GET /api/version',
  'GET /api/tags',
  'GET /api/ps',
  'GET /api/v0/models',
  'GET /api/v1/models',
])

/** The same of signals. */
const harmlessSignals: ReadonlySet<string> = new Set(['GET /metrics', 'GET /slots', 'GET /admin/metrics'])

/** All that a kind may go by when it asks. */
const wellKnown: SignalsSituation = { hasAdminKey: true, isBusy: true }

/** A list that was asked for and did not come as one. */
const brokenBodies = [
  '',
  'null',
  '7',
  '[]',
  '{',
  '{}',
  '"list"',
  '<html>hello</html>',
  '{"data":null,"models":null}',
  '{"data":{"id":"a"},"models":{"name":"a"}}',
  '{"data":[null,1,"a",[],{}],"models":[null,1,"a",[],{}]}',
  '{"__proto__":{"data":[]}}',
]

export function hostKindContract(label: string, plan: StubPlan): void {
  describe(`${plan.kind} before ${label}`, () => {
    const kind = hostKind(plan.kind)
    let stub: StubServer
    let get: ProbeGet
    const probe = (): Promise<ProbeResult> => within(5_000, 'the probe', kind.probe(get))
    const setList = (entries: readonly unknown[]) => stub.set(plan.list.path, json({ [plan.list.member]: entries }))
    const named = (id: unknown) => ({ [plan.list.id]: id })

    beforeEach(async () => {
      stub = await startStub(plan)
      get = probeGet(stub.url)
    })

    afterEach(async () => {
      await stub.close()
      expect(stub.requests.filter((request) => !harmlessRequests.has(request))).toEqual([])
    })

    describe('who it is', () => {
      it('is recognised by its own kind, and by no other but the generic one', async () => {
        const recognising = []
        for (const each of hostKinds) if (await each.recognises(get)) recognising.push(each.name)
        expect(new Set(recognising)).toEqual(new Set([plan.kind, 'openai']))
      })

      it('is detected, and no path asked for twice', async () => {
        expect((await within(5_000, 'detection', detectKind(get))).name).toBe(plan.kind)
        expect(stub.requests).toEqual([...new Set(stub.requests)])
      })

      it('names only endpoints that exist as lacking', () => {
        expect([...kind.lacks].filter((name) => !endpointNames.some((known) => known === name))).toEqual([])
      })
    })

    describe('when all is well', () => {
      it('tells its models, which of them are in memory, its slots, and what it is working on', async () => {
        const { models, slots, running, shedding, listProblem } = await probe()
        expect(models).toEqual(plan.models)
        expect({ slots, running, shedding, listProblem }).toEqual({ slots: plan.slots, running: plan.running })
      })

      it('may have no models', async () => {
        setList([])
        const { models, shedding, listProblem } = await probe()
        expect({ models, shedding, listProblem }).toEqual({ models: [] })
      })
    })

    describe('its load', () => {
      let asked: string[]
      const listening: ProbeGet = (path) => {
        asked.push(`GET ${path}`)
        return get(path)
      }

      beforeEach(() => {
        asked = []
      })

      afterEach(() => {
        expect(asked.filter((request) => !harmlessSignals.has(request))).toEqual([])
        stub.forget()
      })

      it('is told where it has something to tell', async () => {
        expect((await kind.signals?.(listening, wellKnown)) ?? {}).toEqual(plan.signals ?? {})
      })

      it('is nothing where its paths are missing, refused, or answered with nonsense', async () => {
        await kind.signals?.(listening, wellKnown)
        const paths = [...new Set(asked)].map((request) => request.replace('GET ', ''))
        const answers = [
          { status: 404, body: 'no' },
          { status: 401, body: 'no' },
          { status: 503, body: 'busy' },
          ...brokenBodies.map((body) => ({ status: 200, body })),
        ]
        for (const answer of answers) {
          for (const path of paths) stub.set(path, answer)
          const said = (await kind.signals?.(listening, wellKnown)) ?? {}
          // A list of no slots is one of none that is at work.
          expect(Object.values(said).filter((value) => value !== undefined && value !== 0)).toEqual([])
        }
      })
    })

    describe('when it is not', () => {
      it('throws when nobody is there', async () => {
        await stub.close()
        await expect(probe()).rejects.toThrow(/ECONNREFUSED/)
        await expect(kind.recognises(get)).rejects.toThrow(/ECONNREFUSED/)
        await expect(detectKind(get)).rejects.toThrow(/ECONNREFUSED/)
      })

      const { healthPath } = plan
      if (healthPath !== null) {
        it('throws when its health check fails', async () => {
          stub.set(healthPath, { status: 500, body: 'boom' })
          await expect(probe()).rejects.toThrow(`answers GET ${healthPath} with 500`)
        })
      }

      it.each([401, 403])('throws and names apiKey when its list is answered with %d', async (status) => {
        stub.set(plan.list.path, json({ error: 'no' }, status))
        await expect(probe()).rejects.toThrow(/apiKey/)
      })

      it.each([502, 504])('throws when a proxy before it answers its list with %d', async (status) => {
        stub.set(plan.list.path, { status, body: 'bad gateway' })
        await expect(probe()).rejects.toThrow(/a proxy in front/)
      })

      it.each([404, 429, 500])('is alive and keeps its models when its list is answered with %d', async (status) => {
        stub.set(plan.list.path, { status, body: 'no' })
        const { models, shedding, listProblem } = await probe()
        expect({ models, shedding }).toEqual({ models: null })
        expect(listProblem).toContain(`GET ${plan.list.path}`)
      })

      it('takes no work when its list is answered with 503', async () => {
        stub.set(plan.list.path, { status: 503, body: 'busy' })
        const { models, shedding } = await probe()
        expect(models).toBeNull()
        expect(shedding).toContain('503')
      })
    })

    describe('when it answers nonsense', () => {
      it.each(brokenBodies)('keeps its models when its list is %j', async (body) => {
        stub.set(plan.list.path, { status: 200, body })
        const { models, listProblem } = await probe()
        expect(models).toBeNull()
        expect(listProblem).toContain(`GET ${plan.list.path}`)
      })

      it('survives nonsense on every path, in probe and detection', async () => {
        const asked = new Set<string>()
        const listening: ProbeGet = (path) => {
          asked.add(path)
          return get(path)
        }
        await kind.recognises(listening)
        await kind.probe(listening)
        for (const path of asked) {
          await using broken = await startStub(plan)
          const ask = probeGet(broken.url)
          for (const body of brokenBodies) {
            broken.set(path, { status: 200, body })
            await expect(kind.recognises(ask)).resolves.toBeTypeOf('boolean')
            await expect(kind.probe(ask)).resolves.toHaveProperty('models')
          }
        }
      })

      it('takes the usable entries of a list and leaves out the rest', async () => {
        const longest = 'x'.repeat(modelIdCharsMax)
        setList([
          null,
          1,
          'a',
          [],
          {},
          named(null),
          named(7),
          named(''),
          named(`${longest}x`),
          named('line\nbreak'),
          named('\ud800 half a character'),
          named('org/good:7b'),
          { ...named('org/good:7b'), created: 1 },
          { ...named('odd'), created: 'yesterday', owned_by: { who: 1 }, modified_at: 'never' },
          named(longest),
          named('__proto__'),
        ])
        const { models } = await probe()
        expect(models?.map(({ id }) => id)).toEqual(['org/good:7b', 'odd', longest, '__proto__'])
        for (const model of models ?? []) expect(model).toMatchObject({ created: null, ownedBy: null })
      })

      it('takes as many models as the bound, and tells of one past it', async () => {
        const many = Array.from({ length: modelsPerHostMax }, (_, index) => named(`model-${index}`))
        setList(many)
        const full = await probe()
        expect(full.models).toHaveLength(modelsPerHostMax)
        expect(full.listProblem).toBeUndefined()

        setList([...many, named('one-past')])
        const over = await probe()
        expect(over.models).toEqual(full.models)
        expect(over.listProblem).toContain(String(modelsPerHostMax))
      })
    })
  })
}
