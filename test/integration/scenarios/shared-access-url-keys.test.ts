/** A key in a URL: refused on every path and by both listeners, and kept nowhere. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { jsonRequestBytes, requestBytes } from '../../kit/http-bytes.ts'
import { scratchFolder } from '../../kit/stored-rows.ts'
import { soundAnswer, usedOnce } from './access-scene.ts'
import { errorOf, model, scenario } from './scene.ts'

const places: readonly ((key: string) => string)[] = [
  (key) => `/v1/chat/completions?api_key=${key}`,
  (key) => `/v1/chat/completions?key=${key}&stream=1`,
  (key) => `/v1/chat/completions?x=1&access_token=${key}`,
  (key) => `/v1/chat/completions?${key}`,
  (key) => `/v1/chat/completions/${key}`,
  (key) => `/v1/models/${key}`,
  (key) => `/v1/models?q=${key}`,
  (key) => `/${key}/v1/models`,
  (key) => `/${key}`,
  (key) => `/healthz?token=${key}`,
  (key) => `/readyz?${key}`,
  (key) => `//${key}`,
  (key) => `/metrics?token=${key}`,
  (key) => `/admin/keys/${key}`,
  (key) => `/admin/usage?key=${key}`,
  (key) => `/admin/keys?name=${key}`,
  (key) => `http://127.0.0.1/v1/models?api_key=${key}`,
  (key) => `http://user:${key}@127.0.0.1/v1/models`,
]
const spellings: readonly ((key: string) => string)[] = [
  (key) => key,
  (key) => key.replace('_', '%5F'),
  (key) => key.replaceAll('l', '%256c'),
  (key) => key.toUpperCase(),
]

test('X05: a key or the admin token in a URL is refused, and is in no answer, log line, metric, row or file', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const secrets: string[] = []
  await scenario({ config: { storage: { path: folder.storePath } } }, async (scene) => {
    const { gateway } = scene
    const good = await gateway.createKey({ name: 'k' })
    const planted = [good.key, `${good.key.slice(0, -6)}000000`, gateway.adminToken]
    // The part that nobody may learn, in every spelling above.
    secrets.push(...planted.map((key) => key.slice(20, 50)), ...planted.map((key) => key.toUpperCase().slice(20, 50)))
    secrets.push(...planted.map((key) => key.replaceAll('l', '%256c').slice(24, 44)))
    scene.host().playAlways(...soundAnswer)
    let relayed = 0
    for (const key of planted) {
      for (const spell of spellings) {
        for (const place of places) {
          const target = place(spell(key))
          for (const port of [gateway.port, Number(new URL(gateway.adminUrl).port)]) {
            const auth = { authorization: `Bearer ${port === gateway.port ? good.key : gateway.adminToken}` }
            const chat = target.startsWith('/v1/chat/completions')
            const request = chat
              ? jsonRequestBytes(target, { model, messages: [] }, auth)
              : requestBytes('GET', target, auth)
            const client = await scene.connect({ port })
            const answer = await scene.ask(request, client)
            if (chat && port === gateway.port && target.startsWith('/v1/chat/completions?')) relayed += 1
            expect([target, answer.status >= 400 && answer.status < 500]).toEqual([target, true])
            for (const secret of secrets)
              expect(`${answer.startLine}${JSON.stringify(answer.headers)}${answer.text}`).not.toContain(secret)
            client.close()
          }
        }
      }
    }
    // The same place without a key is served: it was the key that was refused.
    const sound = await scene.ask(
      jsonRequestBytes('/v1/chat/completions?x=1', { model, messages: [] }, { authorization: `Bearer ${good.key}` }),
    )
    expect(sound.status).toBe(200)
    const refused = await scene.ask(
      jsonRequestBytes(
        `/v1/chat/completions?api_key=${good.key}`,
        { model, messages: [] },
        { authorization: `Bearer ${good.key}` },
      ),
    )
    expect([refused.status, errorOf(refused).code]).toEqual([400, 'invalid_request'])
    await usedOnce(gateway, 1)
    return { requests: relayed + 2, attempts: { a: 1 }, secrets }
  })
  for (const name of readdirSync(folder.path)) {
    const bytes = readFileSync(join(folder.path, name))
    for (const secret of secrets) expect(bytes.includes(secret), `${secret} in ${name}`).toBe(false)
  }
})
