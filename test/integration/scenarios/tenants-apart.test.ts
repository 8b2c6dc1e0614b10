/** What one key can reach of another: nothing, and not even whether it is there. */

import { setTimeout as pause } from 'node:timers/promises'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { adminRoutes } from '../../../src/http/admin/routes.ts'
import { ask, gatewayBefore, model, startDouble } from '../../kit/fleet.ts'
import { type CreatedKey, type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'

async function twoKeys(
  relay: { storedResponsesMax?: number } = {},
): Promise<{ gateway: GatewayUnderTest; first: CreatedKey; second: CreatedKey }> {
  const double = await startDouble()
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url }], {
    limits: { failedKeysPerMinute: 1_000_000 },
    relay,
  })
  return {
    gateway,
    first: await gateway.createKey({ name: 'first', tags: { note: 'a-word-of-the-first' } }),
    second: await gateway.createKey({ name: 'second' }),
  }
}

const clientOf = (gateway: GatewayUnderTest, { key }: CreatedKey) =>
  new OpenAI({ baseURL: gateway.baseUrl, apiKey: key, maxRetries: 0 })

test.each([[false], [true]])(
  'X16: a stored answer is for the key that it was given to (streamed: %s)',
  async (stream) => {
    const { gateway, first, second } = await twoKeys()
    const made = await clientOf(gateway, first).responses.create({ model, input: 'Hello', stream }).asResponse()
    const id = /"id": ?"(resp-[^"]+)"/.exec(await made.text())?.[1] ?? ''
    expect(id).not.toBe('')
    const next = { model, input: 'And?', previous_response_id: id }
    const refusalOf = (of: string) =>
      clientOf(gateway, second)
        .responses.create({ ...next, previous_response_id: of })
        .catch((error: unknown) => error as InstanceType<typeof OpenAI.APIError>)
    const foreign = await refusalOf(id)
    expect(foreign).toMatchObject({ status: 404, code: 'not_found', param: 'previous_response_id' })
    // It cannot be told from one that never was.
    const unknown = await refusalOf('resp-unknown')
    expect(foreign).toMatchObject({ error: (unknown as { error: unknown }).error })
    expect((await clientOf(gateway, first).responses.create(next)).status).toBe('completed')
  },
)

test('X16: a key that has many answers stored makes none of another key forgotten', async () => {
  const { gateway, first, second } = await twoKeys({ storedResponsesMax: 20 })
  const make = (key: CreatedKey) => clientOf(gateway, key).responses.create({ model, input: 'Hello' })
  const { id } = await make(first)
  const many: string[] = []
  for (let at = 0; at < 25; at += 1) many.push((await make(second)).id)
  const goOn = (key: CreatedKey, previous: string) =>
    clientOf(gateway, key).responses.create({ model, input: 'And?', previous_response_id: previous })
  expect((await goOn(first, id)).status).toBe('completed')
  expect((await goOn(second, many.at(-1) ?? '')).status).toBe('completed')
  await expect(goOn(second, many[0] ?? '')).rejects.toMatchObject({ status: 404, code: 'not_found' })
})

test.each([
  ['a conversation', { conversation: 'conv_1' }, 'conversation'],
  ['an item', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input'],
  ['an item beside a stored answer', { input: [{ id: 'msg_1' }], previous_response_id: 'resp-1' }, 'input'],
  ['an answer made in the background', { background: true, store: true }, 'background'],
])('X16: %s that a host keeps is for nobody, since nobody knows whose it is', async (_what, fields, param) => {
  const { gateway, first } = await twoKeys()
  const answer = await fetch(`${gateway.url}/v1/responses`, {
    method: 'POST',
    headers: { authorization: `Bearer ${first.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, input: 'Hello', ...fields }),
  })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({ error: { code: 'invalid_request', param } })
})

test('X16: a request id that another key used is a word like any other', async () => {
  const double = await startDouble()
  // The ids repeat here, which no other scenario allows.
  await using gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }] })
  const keys = [await gateway.createKey({ name: 'first' }), await gateway.createKey({ name: 'second' })]
  const headers = { 'x-request-id': 'shared-by-both' }
  for (const key of [...keys, ...keys.slice(0, 1)]) {
    const { response } = await clientOf(gateway, key).chat.completions.create(ask('Hello'), { headers }).withResponse()
    expect(response.headers.get('x-request-id')).toBe('shared-by-both')
  }
  const requests = async (key: string): Promise<number> => {
    const { total } = (await gateway.admin('GET', `/admin/usage?key=${key}`)) as { total: { requests: number } }
    return total.requests
  }
  const endsAt = performance.now() + 10_000
  while ((await requests('first')) + (await requests('second')) < 3 && performance.now() < endsAt) await pause(20)
  expect([await requests('first'), await requests('second')]).toEqual([2, 1])
})

test('X16: no id or name of any key opens anything with a key, on either listener', async () => {
  const { gateway, first, second } = await twoKeys()
  for (const { key } of [first, second]) {
    for (const named of [first.id, first.name, second.id, second.name, 'nobody']) {
      for (const { method, path } of adminRoutes.filter(({ role }) => role === 'operator')) {
        const target = path.replace(':id', named)
        const request = {
          method,
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          ...(method === 'GET' ? {} : { body: '{}' }),
        }
        const admin = await fetch(`${gateway.adminUrl}${target}`, request)
        const data = await fetch(`${gateway.url}${target}`, request)
        expect([method, target, admin.status, data.status]).toEqual([method, target, 403, 404])
        expect(`${await admin.text()}${await data.text()}`).not.toContain('a-word-of-the-first')
      }
    }
  }
})

test('X16: nothing is told of the use of others, nor asked for by their ids', async () => {
  const { gateway, first, second } = await twoKeys()
  await clientOf(gateway, first).chat.completions.create(ask('Hello'))
  const paths = ['/v1/usage', '/v1/keys', '/v1/organization/usage/completions', '/v1/responses/resp-1', '/v1/files']
  for (const path of [...paths, `/v1/usage?key=${first.name}`, `/v1/batches/${first.id}`]) {
    for (const method of ['GET', 'DELETE']) {
      const answer = await fetch(`${gateway.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${second.key}` },
      })
      expect([400, 404, 405]).toContain(answer.status)
      const text = await answer.text()
      for (const word of ['a-word-of-the-first', first.key, 'requests']) expect(text).not.toContain(word)
    }
  }
})
