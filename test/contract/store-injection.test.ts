/** What clients and operators name, put where it would be harmful in a statement that was put together from strings. */

import { describe, expect, test } from 'vitest'
import { openStore } from '../../src/stores/open-store.ts'
import type { Store } from '../../src/stores/store.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { auditEntry, keyRecord, scratchFolder, settledRow, usageQuery } from '../kit/stored-rows.ts'

const injections = [
  "'; DROP TABLE requests; --",
  "' OR '1'='1",
  '" OR 1=1 --',
  "x' UNION SELECT record FROM keys --",
  '%',
  '_',
  '\u{0}',
  ':key',
  '?1',
  '); DELETE FROM keys; --',
]

async function holds(store: Store, text: string, at: number): Promise<void> {
  await store.ledger.write([settledRow(`plain ${at}`, 1)])
  const named = { keyName: text, team: text, model: text, requestId: text, keyId: text }
  await store.ledger.write([settledRow(text, 2, { admitted: named, settled: { host: text, errorCode: text } })])
  for (const filter of [{ key: text }, { team: text }, { model: text }, { host: text }])
    expect(await store.ledger.usage(usageQuery(filter)), JSON.stringify(filter)).toMatchObject([
      { requests: 1, output: 2 },
    ])
  expect(await store.ledger.usage(usageQuery())).toMatchObject([{ requests: 2 * (at + 1) }])
  expect(await store.keys.find(text)).toBeNull()
  const key = keyRecord(text, { id: `injected${at}`, tags: { [text]: text }, models: [text], team: text })
  await store.keys.insert(key, auditEntry('key.create', { actor: text, keyName: text, detail: { [text]: text } }))
  expect(await store.keys.find(text)).toEqual(key)
  expect(await store.keys.list()).toHaveLength(at + 1)
  expect((await store.keys.audit(1))[0]).toMatchObject({ actor: text, detail: { [text]: text } })
}

describe.each([
  ['in memory', null],
  ['in files', 'files'],
])('a store %s', (_where, files) => {
  test('X02: takes every name as a value and nothing else', async () => {
    using folder = scratchFolder()
    const store = await openStore({ path: files === null ? ':memory:' : folder.storePath, role: 'gateway' })
    for (const [at, text] of injections.entries()) await holds(store, text, at)
    await store.close()
  })
})

test('X02: keys, models and paths of requests reach no statement, on the way to a 401 neither', async () => {
  await using gateway = await startGateway({ hosts: [{ name: 'a', url: 'http://127.0.0.1:9', kind: 'openai' }] })
  const { key } = await gateway.createKey()
  const ask = async (secret: string, model: string): Promise<number> => {
    const headers = { authorization: `Bearer ${secret}`, 'x-request-id': model, 'content-type': 'application/json' }
    const body = JSON.stringify({ model, messages: [{ role: 'user', content: 'go' }] })
    const answer = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers, body })
    await answer.text()
    return answer.status
  }
  // What a header cannot carry is no attack by one.
  const sendable = injections.filter((text) => text !== '\u{0}')
  for (const text of sendable) {
    expect(await ask(text, 'org/model-a'), text).toBe(401)
    expect(await ask(`${key}${text}`, 'org/model-a'), text).toBe(401)
    expect([404, 503], text).toContain(await ask(key, text))
    const query = encodeURIComponent(text)
    for (const filter of ['key', 'team', 'model', 'host']) {
      const answer = (await gateway.admin('GET', `/admin/usage?${filter}=${query}`)) as object
      expect(JSON.stringify(answer), `${filter}=${text}`).not.toContain('"requests":1')
    }
  }
  expect([404, 503]).toContain(await ask(key, 'org/model-a'))
})
