import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { type Aliases, ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { type KnownHost, knownHost } from '../../kit/known-hosts.ts'

const endpoint = 'chat_completions'

function catalog(hosts: readonly Host[], aliases: Aliases = {}) {
  const catalogue = new ModelCatalog(hosts, aliases)
  return {
    catalogue,
    /** `host:model` of every candidate. */
    candidates: (name: string, path = endpoint) =>
      catalogue
        .route(name, path)
        .candidates()
        .map(({ host, model }) => `${host.name}:${model}`),
    failure: (name: string, path = endpoint): string => {
      try {
        catalogue.route(name, path)
        return 'none'
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error
        return `${error.code}: ${error.message}`
      }
    },
  }
}

describe('a model', () => {
  it('goes to the hosts that list it and are up', () => {
    const { candidates } = catalog([
      knownHost('a', { lists: ['x', 'y'] }),
      knownHost('b', { lists: ['x'] }),
      knownHost('c', { lists: ['x'], up: false }),
    ])
    expect([candidates('x'), candidates('y')]).toEqual([['a:x', 'b:x'], ['a:y']])
  })

  it('is looked up anew each time, since hosts come and go while a request waits', () => {
    const host = knownHost('a', { lists: ['x'] })
    const route = catalog([host]).catalogue.route('x', endpoint)
    host.connectFailed('gone')
    expect(route.candidates()).toEqual([])
    host.probeSucceeded({ models: null })
    expect(route.candidates()).toHaveLength(1)
  })

  it('whose hosts failed on a request has the next name of an ordered alias for it, as if they were down', () => {
    const hosts = [knownHost('a', { lists: ['x'] }), knownHost('b', { lists: ['x'] }), knownHost('c', { lists: ['y'] })]
    const [a, b, c] = hosts
    const route = catalog(hosts, { best: ['x', 'y'] }).catalogue.route('best', endpoint)
    const names = (...failed: readonly (Host | undefined)[]) =>
      route.candidates(new Set(failed.filter((host) => host !== undefined))).map(({ host, model }) => host.name + model)
    expect([names(), names(a), names(a, b), names(a, b, c)]).toEqual([['ax', 'bx'], ['bx'], ['cy'], []])
  })

  it('has an ejected host for a request on which the sound ones failed', () => {
    const [a, b] = [knownHost('a', { lists: ['x'] }), knownHost('b', { lists: ['x'] })]
    for (let i = 0; i < 3; i++) b.health.attemptEnded({ kind: 'lost' })
    const route = catalog([a, b]).catalogue.route('x', endpoint)
    expect(route.candidates().map(({ host }) => host)).toEqual([a])
    expect(route.candidates(new Set([a])).map(({ host }) => host)).toEqual([b])
  })

  it('names that JavaScript objects have by themselves are unknown like any other', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) {
      expect(catalog([knownHost('a')]).failure(name)).toContain('model_not_found')
    }
  })
})

describe('hosts that were ejected', () => {
  const ejected = (name: string, settings: KnownHost = {}): Host => {
    const host = knownHost(name, settings)
    for (let i = 0; i < 3; i++) host.health.attemptEnded({ kind: 'lost' })
    return host
  }
  const throttled = (name: string, settings: KnownHost = {}): Host =>
    ejected(name, { ...settings, parts: { mayEject: () => false } })

  it('are left out while a sound one is up', () => {
    expect(catalog([ejected('a'), knownHost('b')]).candidates('m')).toEqual(['b:m'])
  })

  it('but one that must stay in the choice is not', () => {
    expect(catalog([throttled('a'), knownHost('b')]).candidates('m')).toEqual(['a:m', 'b:m'])
  })

  it('are better than none: all that are up when no sound one is', () => {
    const hosts = [ejected('a'), throttled('b'), knownHost('c', { up: false })]
    expect(catalog(hosts).candidates('m')).toEqual(['a:m', 'b:m'])
    expect(catalog([ejected('a')]).candidates('m')).toEqual(['a:m'])
  })

  it('an ordered alias falls back when every host of a group is down, ejected or throttled', () => {
    const order: Aliases = { best: ['big', 'small'] }
    const candidates = (...hosts: Host[]) => catalog(hosts, order).candidates('best')
    const small = knownHost('s', { lists: ['small'] })
    const down = knownHost('d', { lists: ['big'], up: false })
    expect(candidates(ejected('a', { lists: ['big'] }), down, small)).toEqual(['s:small'])
    expect(candidates(throttled('a', { lists: ['big'] }), down, small)).toEqual(['s:small'])
    expect(candidates(ejected('a', { lists: ['big'] }), knownHost('b', { lists: ['big'] }), small)).toEqual(['b:big'])
  })

  it('and returns to the first group with a host that is up when all groups are so', () => {
    const order: Aliases = { best: ['huge', 'big', 'small'] }
    const down = knownHost('d', { lists: ['huge'], up: false })
    const hosts = [down, ejected('a', { lists: ['big'] }), throttled('b', { lists: ['small'] })]
    expect(catalog(hosts, order).candidates('best')).toEqual(['a:big'])
  })
})

describe('an alias', () => {
  const hosts = () => [knownHost('a', { lists: ['big', 'small'] }), knownHost('b', { lists: ['small', 'b-big'] })]

  it('for one name goes wherever that is served', () => {
    expect(catalog(hosts(), { fast: 'small' }).candidates('fast')).toEqual(['a:small', 'b:small'])
  })

  it('for a name per host sends each host its own', () => {
    expect(catalog(hosts(), { best: { a: 'big', b: 'b-big' } }).candidates('best')).toEqual(['a:big', 'b:b-big'])
  })

  it('for a list takes the first name that a host which is up serves', () => {
    const [a, b] = hosts()
    const { candidates } = catalog([a!, b!], { best: ['big', 'b-big', 'small'] })
    expect(candidates('best')).toEqual(['a:big'])
    a!.connectFailed('gone')
    expect(candidates('best')).toEqual(['b:b-big'])
  })

  it('does not fall back because a host is busy', () => {
    const [a, b] = hosts()
    for (let i = 0; i < a!.slots; i++) a!.leases.add({})
    expect(catalog([a!, b!], { best: ['big', 'b-big'] }).candidates('best')).toEqual(['a:big'])
  })

  it('wins over a model of the same name', () => {
    expect(catalog(hosts(), { small: 'big' }).candidates('small')).toEqual(['a:big'])
  })

  it('whose target no host lists says so', () => {
    expect(catalog(hosts(), { lost: 'nowhere' }).failure('lost')).toMatch(/^model_not_found: The alias "lost" names/)
  })
})

describe('a name that cannot be served', () => {
  it('is 404 and names what is there, when every catalogue is known', () => {
    const { failure } = catalog([knownHost('a', { lists: ['y', 'x'] })])
    expect(failure('z')).toBe('model_not_found: The model "z" does not exist. There are: x, y.')
  })

  it('is 503 while any host has not been seen', () => {
    const unseen = knownHost('b', { lists: null })
    expect(catalog([knownHost('a'), unseen]).failure('z')).toContain('no_upstream_available')
  })

  it('has a route without candidates when it was last seen on a host that is down or sheds load', () => {
    const shedding = knownHost('b')
    shedding.probeSucceeded({ models: null, shedding: 'memory pressure' })
    expect(catalog([knownHost('a', { up: false })]).candidates('m')).toEqual([])
    expect(catalog([shedding]).candidates('m')).toEqual([])
  })

  it('twenty names are shown, and how many more there are', () => {
    const lists = Array.from({ length: 23 }, (_, i) => `m${String(i).padStart(2, '0')}`)
    expect(catalog([knownHost('a', { lists })]).failure('z')).toMatch(/m19 and 3 more \(GET \/v1\/models\)\.$/)
  })

  it('is not_found when no host that serves it offers the endpoint', () => {
    const { failure, candidates } = catalog([
      knownHost('a', { lists: ['x'] }),
      knownHost('b', { lists: ['y'], kind: hostKind('vllm') }),
    ])
    expect(failure('x', 'count_tokens')).toMatch(/^not_found: /)
    expect(candidates('y', 'count_tokens')).toEqual(['b:y'])
  })

  it.each(['copilot/gpt-5', 'github-copilot/x', 'gemini-cli/y', 'copilot', 'preset:mine', 'PRESET:mine'])(
    '%s would leave the network: refused even where a host lists it, allowed where it is configured',
    (name) => {
      expect(catalog([knownHost('a', { lists: [name] })]).failure(name)).toContain('model_not_allowed')
      expect(catalog([knownHost('a')]).failure(name)).toContain('model_not_allowed')
      expect(catalog([knownHost('a', { models: [name] })]).candidates(name)).toEqual([`a:${name}`])
    },
  )

  it('an alias cannot smuggle such a name in', () => {
    expect(catalog([knownHost('a', { lists: ['copilot/x'] })], { f: 'copilot/x' }).failure('f')).toContain(
      'model_not_found',
    )
  })
})

describe('the list', () => {
  it('is sorted, has each name once, aliases included, and leaves out hosts that are down', () => {
    const { catalogue } = catalog(
      [
        knownHost('a', { lists: ['x', 'b'] }),
        knownHost('b', { lists: ['b'], models: ['own'] }),
        knownHost('c', { lists: ['gone'], up: false }),
      ],
      { fast: 'x', lost: 'gone' },
    )
    expect(catalogue.list().map((model) => model.id)).toEqual(['b', 'fast', 'own', 'x'])
  })

  it('describes one, with the same errors a request would meet', () => {
    const { catalogue } = catalog([
      knownHost('a', { lists: ['org/x'] }),
      knownHost('b', { lists: ['gone'], up: false }),
    ])
    expect(catalogue.describe('org/x')).toMatchObject({ id: 'org/x', ownedBy: 'local' })
    expect(() => catalogue.describe('gone')).toThrow('can be reached now')
    expect(() => catalogue.describe('never')).toThrow('does not exist')
  })

  it('knows names for labels: aliases and whatever a host was last seen to list', () => {
    const { catalogue } = catalog([knownHost('a', { up: false })], { fast: 'm' })
    expect(['m', 'fast', 'invented'].map((name) => catalogue.knows(name))).toEqual([true, true, false])
  })
})
