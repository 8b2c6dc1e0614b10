/** What is taken from a request for the choice of its host. */
import { describe, expect, it } from 'vitest'
import { balancingOptions } from '../../../src/balancing/options.ts'
import { PromptReader } from '../../../src/balancing/prompt-reader.ts'
import { promptOf } from '../../../src/relay/prompt-of.ts'
import { type EndpointName, endpoints } from '../../../src/wire/endpoints.ts'
import { readJsonBody } from '../../../src/wire/request-body.ts'

const prompts = new PromptReader(balancingOptions.parse({}).prefixes)
const byKey = new PromptReader(balancingOptions.parse({ prefixes: { scope: 'key' } }).prefixes)
const off = new PromptReader(balancingOptions.parse({ prefixes: { enabled: false } }).prefixes)

interface Asked {
  readonly endpoint?: EndpointName
  readonly reader?: PromptReader
  readonly holder?: string
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

const bodyOf = (body: object) =>
  readJsonBody(Buffer.from(JSON.stringify({ model: 'm', ...body })), { choicesMax: 1, messagesMax: 9 })
const chat = { messages: [{ role: 'user', content: 'hello' }] }

function asked({ endpoint = 'chat_completions', reader = prompts, holder = 'ann', body = chat, headers = {} }: Asked) {
  const row = endpoints.find(({ name }) => name === endpoint)!
  return promptOf(bodyOf(body), row, { headers, prompts: reader, holder })
}

describe('the print', () => {
  it.each([
    ['cache_salt', 'one', 'other'],
    ['extra_key', 'one', 'other'],
    ['lora', [{ id: 0, scale: 1 }], [{ id: 1, scale: 1 }]],
    ['lora_path', 'one', 'other'],
    ['adapters', 'one', 'other'],
    ['adapter_id', 'one', 'other'],
    ['id_slot', 0, 1],
    ['slot_id', 0, 1],
  ])('has nothing in common with one for which hosts keep another cache: %s', (key, one, other) => {
    const digests = (more: object) => asked({ body: { ...chat, ...more } }).print?.digests
    expect(digests({ [key]: one })).toEqual(digests({ [key]: one }))
    expect(digests({ [key]: one })).not.toEqual(digests({ [key]: other }))
    expect(digests({ [key]: one })).not.toEqual(digests({}))
  })

  it('is none where the client wants nothing that was kept', () => {
    const print = (more: object) => asked({ body: { ...chat, ...more } }).print
    expect([print({ cache_prompt: false }), print({ prompt_logprobs: 0 })]).toEqual([null, null])
    for (const more of [{ cache_prompt: true }, { cache_prompt: null }, { prompt_logprobs: null }]) {
      expect(print(more)).toEqual(print({}))
    }
  })

  it('tells whose it is without a name, whatever the prompt', () => {
    const owner = (holder: string, body: object = chat) => asked({ holder, body }).print?.owner
    expect(owner('ann')).toBe(owner('ann', { messages: [{ role: 'user', content: 'bye' }] }))
    expect(owner('ann')).not.toBe(owner('ben'))
    expect(owner('ann')).not.toContain('ann')
  })

  it.each<[EndpointName, object]>([
    ['chat_completions', chat],
    ['messages', chat],
    ['completions', { prompt: 'hello' }],
    ['responses', { input: 'hello' }],
  ])('is made of %s', (endpoint, body) => {
    expect(asked({ endpoint, body }).print?.digests).toHaveLength(1)
  })

  it.each<[EndpointName, object]>([
    ['embeddings', { input: 'hello' }],
    ['rerank', { query: 'hello' }],
    ['count_tokens', chat],
    ['speech', { input: 'hello' }],
  ])('is not made of %s, of which no host keeps anything', (endpoint, body) => {
    expect(asked({ endpoint, body }).print).toBeNull()
  })

  it('is not made of what goes on from a stored response, of a body that was dropped, or where it is switched off', () => {
    const body = { input: 'hello', previous_response_id: 'r', prompt_cache_key: 'one' }
    const goesOn = asked({ endpoint: 'responses', body })
    expect([goesOn.print, goesOn.session === null]).toEqual([null, false])
    expect(asked({ reader: off }).print).toBeNull()
    const dropped = { ...bodyOf(chat), bytes: Buffer.alloc(0) }
    expect(promptOf(dropped, endpoints[0]!, { headers: {}, prompts, holder: 'ann' }).print).toBeNull()
  })

  it('is the same for all keys behind words of the system alone, unless all or none are to have theirs in common', () => {
    const withSystem = { messages: [{ role: 'system', content: 'be good' }, ...chat.messages] }
    const digests = (holder: string, scope: 'system' | 'all') => {
      const reader = new PromptReader(balancingOptions.parse({ prefixes: { scope } }).prefixes)
      const of = (by: string) =>
        promptOf(bodyOf(withSystem), endpoints[0]!, { headers: {}, prompts: reader, holder: by })
      return [of('ann'), of(holder)].map(({ print }) => print?.digests ?? [])
    }
    const [ann, bob] = digests('bob', 'system')
    expect(bob?.map((digest) => ann?.includes(digest))).toEqual([true, false])
    const [annOfAll, bobOfAll] = digests('bob', 'all')
    expect(annOfAll).toEqual(bobOfAll)
    expect(asked({ holder: 'ann' }).print?.digests).not.toEqual(asked({ holder: 'bob' }).print?.digests)
    const [annOwn, bobOwn, annAgain] = ['ann', 'bob', 'ann'].map(
      (holder) => asked({ holder, reader: byKey }).print?.digests,
    )
    expect(annOwn).not.toEqual(bobOwn)
    expect(annOwn).toEqual(annAgain)
  })
})

describe('names', () => {
  it('are another word for each key, and never what the client wrote', () => {
    const headers = { 'x-session-id': 'one' }
    const body = { ...chat, user: 'me' }
    const [ann, bob, annAgain] = ['ann', 'bob', 'ann'].map((holder) => asked({ holder, headers, body }))
    expect([ann?.session, ann?.person]).toEqual([annAgain?.session, annAgain?.person])
    expect(ann?.session).not.toBe(bob?.session)
    expect(ann?.person).not.toBe(bob?.person)
    expect(ann?.session).not.toContain('one')
  })
})
