/** What one key could learn of another's prompts by where its own are sent, and by how fast they are answered. */
import { expect, test } from 'vitest'
import { gatewayBefore, model, startDouble } from '../../kit/fleet.ts'
import type { CreatedKey, GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import { newestHomes } from '../../kit/homes.ts'

/** Of a host that reads slowly enough for it to matter which one is asked. */
const cost = { prefillTokensPerSecond: 50_000 }
const prompt = 'What the first wrote, and the second guesses. '.repeat(500)

type Config = Parameters<typeof gatewayBefore>[1]

async function twoTenants(config: Config, wanted: { first?: object; second?: object } = {}) {
  const doubles = [
    await startDouble({ cost, keepsPrefixes: true }),
    await startDouble({ cost, keepsPrefixes: true }),
  ] as const
  const hosts = doubles.map(({ url }, at) => ({ name: at === 0 ? 'a' : 'b', url }))
  const gateway = await gatewayBefore(hosts, config)
  return {
    gateway,
    doubles,
    first: await gateway.createKey({ name: 'first', ...wanted.first }),
    second: await gateway.createKey({ name: 'second', ...wanted.second }),
  }
}

interface Asked {
  readonly content?: string
  readonly model?: string
  readonly headers?: Readonly<Record<string, string>>
}

function ask(gateway: GatewayUnderTest, { key }: CreatedKey, asked: Asked = {}): Promise<Response> {
  return fetch(`${gateway.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${key}`, ...asked.headers },
    body: JSON.stringify({
      model: asked.model ?? model,
      max_tokens: 2,
      messages: [{ role: 'user', content: asked.content ?? prompt }],
    }),
  })
}

/** Hosts at which its conversation was taken to be at home. */
async function homesOf(gateway: GatewayUnderTest, key: CreatedKey, asked: Asked = {}): Promise<readonly string[]> {
  const answer = await ask(gateway, key, asked)
  expect(answer.status).toBe(200)
  await answer.arrayBuffer()
  return newestHomes(gateway)
}

test('X28: where all are one team, a prompt goes where it was read before, whoever sent it', async () => {
  const { gateway, first, second } = await twoTenants({ balancing: { prefixes: { scope: 'all' } } })
  expect(await homesOf(gateway, first)).toEqual([])
  expect(await homesOf(gateway, second)).toHaveLength(1)
})

test.each<['key' | 'by default']>([['key'], ['by default']])(
  'X28: told apart by key (%s), what one has sent sends no other one anywhere, and says nothing to it',
  async (scope) => {
    const config = scope === 'key' ? { balancing: { prefixes: { scope } } } : {}
    const { gateway, first, second } = await twoTenants(config)
    expect(await homesOf(gateway, first)).toEqual([])
    expect(await homesOf(gateway, second)).toEqual([])
    // Each has its own, all the same.
    for (const key of [first, second]) expect(await homesOf(gateway, key)).toHaveLength(1)
  },
)

test.each<['all' | 'key' | 'system']>([['all'], ['key'], ['system']])(
  'X28: what one calls its conversations leads nobody else to them (scope %s)',
  async (scope) => {
    const { gateway, first, second } = await twoTenants({ balancing: { policy: 'sticky', prefixes: { scope } } })
    const hostsOf = async (key: CreatedKey): Promise<(string | null)[]> => {
      const hosts: (string | null)[] = []
      for (let at = 0; at < 24; at++) {
        const answer = await ask(gateway, key, { content: 'x', headers: { 'x-session-id': `s${at}` } })
        await answer.arrayBuffer()
        hosts.push(answer.headers.get('x-lmx-gateway-host'))
      }
      return hosts
    }
    const own = await hostsOf(first)
    expect(await hostsOf(first)).toEqual(own)
    // With two hosts half of the names go to the same one by chance; all of them once in some million times.
    expect(await hostsOf(second)).not.toEqual(own)
  },
)

test('X28: a key can be kept to hosts of its own, whose caches no other one reaches', async () => {
  const aliases = { 'of-first': { a: model }, 'of-second': { b: model } }
  const { gateway, doubles, first, second } = await twoTenants(
    { models: { aliases } },
    { first: { models: ['of-first'] }, second: { models: ['of-second'] } },
  )
  for (let time = 0; time < 4; time++) {
    await homesOf(gateway, first, { model: 'of-first' })
    await homesOf(gateway, second, { model: 'of-second' })
  }
  expect(doubles.map(({ inferenceRequests }) => inferenceRequests.length)).toEqual([4, 4])
  const elsewhere = [ask(gateway, first, { model: 'of-second' }), ask(gateway, second, { model })]
  for (const { status } of await Promise.all(elsewhere)) expect(status).toBe(403)
  expect(doubles.map(({ inferenceRequests }) => inferenceRequests.length)).toEqual([4, 4])
})

test('X28: nothing that a key may ask for tells of the times of others', async () => {
  const { gateway, first, second } = await twoTenants({ balancing: { prefixes: { scope: 'key' } } })
  await (await ask(gateway, first, { headers: { 'x-request-id': 'of-the-first' } })).arrayBuffer()
  const shownAt = async (path: string): Promise<[number, string]> => {
    const shown = await fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${second.key}` } })
    return [shown.status, `${JSON.stringify([...shown.headers])} ${await shown.text()}`]
  }
  for (const path of ['/v1/models', `/v1/models/${encodeURIComponent(model)}`, '/healthz', '/readyz']) {
    const [status, text] = await shownAt(path)
    expect(status).toBe(200)
    expect(text).not.toMatch(/of-the-first|"first"|ttft|first_?token|Ms":/i)
  }
  for (const path of ['/metrics', '/admin/decisions', '/admin/requests', '/admin/stats']) {
    expect((await shownAt(path))[0]).toBe(404)
  }
})
