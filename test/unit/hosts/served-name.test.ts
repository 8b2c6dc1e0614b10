/** What requests for a name have in common is kept, and is never older than what hosts serve. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKinds } from '../../../src/hosts/kinds/kinds.ts'
import { type Aliases, ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { healthDefaults, knownHost, knownModel, sloDefaults } from '../../kit/known-hosts.ts'

const names = ['m', 'n', 'alias', 'never']
const endpoints = ['chat_completions', 'messages', 'count_tokens', 'responses']
const ask = {
  prompt: { least: 900, most: 1_100, textBytes: 4_000, media: 0 },
  outputLikely: 200,
  outputAsked: { least: 100, most: 100 },
  numCtx: null,
}

const aliases = fc.constantFrom<Aliases>({}, { alias: 'm' }, { alias: { 0: 'n' } }, { alias: ['n', 'm'], n: 'm' })
const contextTokens = fc.constantFrom(undefined, 500, 1_150, 8_192)
const models = fc.array(fc.record({ id: fc.constantFrom('m', 'n'), contextTokens }), { maxLength: 2 })
const change = fc.oneof(
  fc.record({ what: fc.constant('lists' as const), at: fc.nat(3), models }),
  fc.record({ what: fc.constant('kind' as const), at: fc.nat(3), kind: fc.constantFrom(...hostKinds) }),
  fc.record({ what: fc.constant('gone' as const), at: fc.nat(3), model: fc.constantFrom('m', 'n') }),
  fc.record({ what: fc.constant('configured' as const), at: fc.nat(3), contextTokens }),
  fc.record({ what: fc.constant('joins' as const), at: fc.nat(3) }),
  fc.record({ what: fc.constant('leaves' as const), at: fc.nat(3) }),
  fc.record({ what: fc.constant('aliases' as const), aliases }),
)

it('is what a catalogue would say that nobody has asked yet, whatever changes', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
      let aliased: Aliases = {}
      const hosts: Host[] = [knownHost('0', { lists: ['m'] }), knownHost('1', { lists: ['m', 'n'] })]
      const catalog = new ModelCatalog(hosts, aliased)
      for (const one of changes) {
        if (one.what === 'aliases') catalog.adopt((aliased = one.aliases))
        else become(hosts, one)
        expect(answers(catalog)).toEqual(answers(new ModelCatalog(hosts, aliased)))
      }
    }),
  )
})

type Change = Exclude<typeof change extends fc.Arbitrary<infer Value> ? Value : never, { what: 'aliases' }>

function become(hosts: Host[], one: Change): void {
  const host = hosts[one.at % Math.max(1, hosts.length)]
  if (one.what === 'joins') hosts.splice(one.at % (hosts.length + 1), 0, knownHost(`${one.at}`))
  else if (one.what === 'leaves') hosts.splice(one.at % Math.max(1, hosts.length), 1)
  else if (host === undefined) return
  else if (one.what === 'kind') host.kind = one.kind
  else if (one.what === 'gone') host.modelGone(one.model)
  else if (one.what === 'lists')
    host.probeSucceeded({
      models: one.models.map(({ id, contextTokens: tokens }) => ({
        ...knownModel(id),
        ...(tokens === undefined ? {} : { contextTokens: tokens }),
      })),
    })
  else adopt(host, one.contextTokens)
}

function adopt(host: Host, tokens: number | undefined): void {
  const settings = { name: host.name, url: host.url.href, kind: host.kind, models: host.configuredModels }
  const rules = { health: healthDefaults, slo: sloDefaults, connectMsMax: 1_000 }
  host.adopt(tokens === undefined ? settings : { ...settings, contextTokensMax: tokens }, rules)
}

/** Of each name at each endpoint: where requests go, by their length and without, and what keeps them out. */
function answers(catalog: ModelCatalog): unknown {
  return endpoints.flatMap((endpoint) => names.map((name) => [endpoint, name, answerOf(catalog, name, endpoint)]))
}

function answerOf(catalog: ModelCatalog, name: string, endpoint: string): unknown {
  try {
    const route = catalog.route(name, endpoint)
    const fitting = route.fitting(ask)
    const places = [...route.candidates(), ...fitting.candidates()].map(({ host, model }) => [host.name, model])
    return [places, route.id, route.contexts, fitting.id, fitting.contexts]
  } catch (error) {
    return String(error)
  }
}
