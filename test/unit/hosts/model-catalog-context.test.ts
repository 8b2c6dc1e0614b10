/** Which hosts a request may go to by its length. */
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { ContextAsk } from '../../../src/hosts/context-length.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { type Aliases, ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { type KnownHost, knownHost, knownModel } from '../../kit/known-hosts.ts'

const vllm = hostKind('vllm')

/** Its prompt takes between so many tokens and half as many more. */
function askOf(tokens: number, more: Partial<ContextAsk> = {}): ContextAsk {
  return {
    prompt: { least: tokens, most: tokens * 1.5, textBytes: tokens * 4, media: 0 },
    outputLikely: 0,
    outputAsked: { least: null, most: null },
    numCtx: null,
    ...more,
  }
}

const hostOf = (name: string, contextTokensMax: number | undefined, more: KnownHost = {}): Host =>
  knownHost(name, { kind: vllm, contextTokensMax, ...more })

function fleet(hosts: readonly Host[], aliases: Aliases = {}) {
  const catalog = new ModelCatalog(hosts, aliases)
  const routeFor = (ask: ContextAsk, name = 'm', endpoint = 'chat_completions') =>
    catalog.route(name, endpoint).fitting(ask)
  return {
    catalog,
    routeFor,
    to: (ask: ContextAsk, name = 'm', excluded: readonly Host[] = []): string[] =>
      routeFor(ask, name)
        .candidates(new Set(excluded))
        .map(({ host, model }) => (model === 'm' ? host.name : `${host.name}:${model}`)),
    refusal: (ask: ContextAsk, endpoint = 'chat_completions'): GatewayError => {
      try {
        routeFor(ask, 'm', endpoint)
      } catch (error) {
        if (error instanceof GatewayError) return error
        throw error
      }
      throw new Error('it has somewhere to go')
    },
  }
}

describe('a prompt', () => {
  it('goes to the hosts that surely have room for it; to those that may have, where none surely has', () => {
    const [small, large] = [hostOf('small', 4_000), hostOf('large', 32_000)]
    const { to } = fleet([small, large])
    expect(to(askOf(1_000))).toEqual(['small', 'large'])
    expect(to(askOf(3_000))).toEqual(['large'])
    expect(to(askOf(20_000))).toEqual(['large'])
    expect(to(askOf(3_000), 'm', [large])).toEqual(['small'])
    expect(to(askOf(5_000), 'm', [large])).toEqual([])
  })

  it('that surely fits none goes to the one with the most room, and to those that do not tell', () => {
    const hosts = [
      hostOf('small', 8_000),
      hostOf('large', 10_000),
      hostOf('as large', 10_000),
      hostOf('untold', undefined),
    ]
    expect(fleet(hosts.slice(0, 3)).to(askOf(7_500))).toEqual(['large', 'as large'])
    expect(fleet(hosts).to(askOf(7_500))).toEqual(['untold'])
    const long = hosts.map(({ name }, at) => hostOf(name, [40_000, 50_000, 50_000, undefined][at]))
    expect(fleet(long).to(askOf(38_000))).toEqual(['large', 'as large', 'untold'])
  })

  it('waits for a host with room that is down, and is not sent to one without', () => {
    const { routeFor } = fleet([hostOf('small', 4_000), hostOf('large', 32_000, { up: false })])
    const route = routeFor(askOf(5_000))
    expect([route.candidates(), route.gone()]).toEqual([[], null])
  })

  it('goes where nothing is known of the context, a long one only where nobody is known to have room', () => {
    const { to } = fleet([hostOf('untold', undefined), hostOf('large', 200_000)])
    expect(to(askOf(1_000))).toEqual(['untold', 'large'])
    expect(to(askOf(30_000))).toEqual(['large'])
    expect(fleet([hostOf('untold', undefined), hostOf('small', 4_000)]).to(askOf(30_000))).toEqual(['untold'])
  })

  it('is judged anew when a host loads its model with another context', () => {
    const host = knownHost('a', { kind: hostKind('ollama') })
    const route = fleet([host, hostOf('b', 100_000)]).routeFor(askOf(3_000))
    expect(route.candidates().map(({ host: { name } }) => name)).toEqual(['a', 'b'])
    expect(host.probeSucceeded({ models: [{ ...knownModel('m'), contextTokens: 4_096 }] })).toBe(true)
    expect(route.candidates().map(({ host: { name } }) => name)).toEqual(['b'])
  })

  it('that fits keeps to an ordered alias, and goes on to the next name only where it does not', () => {
    const hosts = [hostOf('a', 4_000, { lists: ['big'] }), hostOf('b', 32_000, { lists: ['small'] })]
    const { to } = fleet(hosts, { best: ['big', 'small'] })
    expect([to(askOf(1_000), 'best'), to(askOf(3_000), 'best'), to(askOf(9_000), 'best')]).toEqual([
      ['a:big'],
      ['b:small'],
      ['b:small'],
    ])
  })

  it('whose only host with room is ejected goes to one that may have room, not to nobody', () => {
    const large = hostOf('large', 32_000)
    for (let at = 0; at < 3; at++) large.health.attemptEnded({ kind: 'lost' })
    expect(fleet([hostOf('small', 4_000), large]).to(askOf(3_000))).toEqual(['small'])
    expect(fleet([hostOf('small', 4_000), large]).to(askOf(9_000))).toEqual(['large'])
  })
})

describe('routes of one name', () => {
  it('are one for all lengths that make no difference, so that one line is enough', () => {
    const { routeFor } = fleet([hostOf('small', 4_000), hostOf('large', 32_000)])
    expect(routeFor(askOf(10)).id).toBe(routeFor(askOf(1_000)).id)
    expect(routeFor(askOf(1_000)).id).not.toBe(routeFor(askOf(3_000)).id)
    expect(routeFor(askOf(10), 'm', 'responses').id).not.toBe(routeFor(askOf(10)).id)
  })

  it('at one host lead there alone', () => {
    const [small, large] = [hostOf('small', 4_000), hostOf('large', 32_000)]
    const { catalog } = fleet([small, large])
    const route = catalog.route('m', 'responses').at(small)
    expect(
      route
        .fitting(askOf(1_000))
        .candidates()
        .map(({ host }) => host),
    ).toEqual([small])
    expect(() => route.fitting(askOf(5_000))).toThrow('4000 tokens')
    expect(route.gone(new Set([small]))?.code).toBe('no_upstream_available')
  })
})

describe('what fits no host', () => {
  const hosts = [hostOf('small', 4_000), hostOf('large', 8_000, { up: false })]

  it('is refused with the longest context that there is, and what it would take', () => {
    const { code, message, detail } = fleet(hosts).refusal(askOf(9_000))
    expect([code, detail.param]).toEqual(['context_length_exceeded', 'messages'])
    expect(message).toContain(
      "This model's maximum context length is 8000 tokens. However, your messages resulted in 9001 tokens.",
    )
    expect(message).toContain('GET /v1/models')
  })

  it('is told apart into prompt and answer, where a bound makes it too long', () => {
    const ask = askOf(7_000, { outputAsked: { least: 2_000, most: 2_000 } })
    expect(fleet(hosts).refusal(ask).message).toContain(
      'However, you requested 9000 tokens (7000 in the messages, 2000 in the completion).',
    )
    expect(fleet(hosts).refusal(ask, 'messages').message).toContain(
      'input length and `max_tokens` exceed context limit: 7000 + 2000 > 8000, decrease input length or `max_tokens` and try again',
    )
    expect(fleet(hosts).refusal(askOf(9_000), 'messages').message).toContain(
      'prompt is too long: 9001 tokens > 8000 maximum',
    )
  })

  it('for the num_ctx of the request alone says so', () => {
    const { message, detail } = fleet([knownHost('lmx', { contextTokensMax: 100_000 })]).refusal(
      askOf(3_000, { numCtx: 2_048 }),
    )
    expect(message).toContain('maximum context length is 2048 tokens')
    expect([message.includes('num_ctx'), detail.param]).toEqual([true, 'num_ctx'])
  })

  it('is heard of by one that waits, too, when the last host with room has gone', () => {
    const large = hostOf('large', 32_000)
    const all = [hostOf('small', 4_000), large]
    const route = new ModelCatalog(all, {}).route('m', 'chat_completions').fitting(askOf(9_000))
    expect(route.gone()).toBeNull()
    all.pop()
    expect(route.gone()?.code).toBe('context_length_exceeded')
  })
})

describe('the list of models', () => {
  it('tells of each the longest context of the hosts that are up', () => {
    const hosts = [
      hostOf('a', 4_000, { lists: ['m', 'n'] }),
      hostOf('b', 16_000),
      hostOf('c', 64_000, { up: false }),
      hostOf('d', undefined, { lists: ['untold'] }),
    ]
    const listed = new ModelCatalog(hosts, { any: ['n', 'm'] }).list()
    expect(listed.map(({ id, longestContextTokens }) => [id, longestContextTokens])).toEqual([
      ['any', 16_000],
      ['m', 16_000],
      ['n', 4_000],
      ['untold', null],
    ])
  })
})
