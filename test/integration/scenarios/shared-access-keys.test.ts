/** A key from its first request to its last: what it opens, when it ends, and what ends with it. */
import { expect, onTestFinished, test } from 'vitest'
import { pause, peerLeaves, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import type { CreatedKey } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, requestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { scratchFolder } from '../../kit/stored-rows.ts'
import { answerOf, keyedBytes, remainingOf, soundAnswer, usedOnce } from './access-scene.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, type Scene, scenario } from './scene.ts'

/** What must hold within a second is waited for up to twenty of them. */
const secondMsMax = 20_000

const revoke = ({ gateway }: Scene, key: CreatedKey, body: object = {}) =>
  gateway.admin('POST', `/admin/keys/${key.id}/revoke`, body)

const firstPart = [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('a'))] as const

/** One stream that runs and one request that waits behind it. */
async function runningAndWaiting(scene: Scene, key: CreatedKey) {
  const running = await scene.connect()
  await running.send(keyedBytes(key, { stream: true }))
  const stream = await scene.answer(running)
  await stream.has('"a"')
  const waiting = await scene.connect()
  await waiting.send(keyedBytes(key))
  await gaugeReaches(scene.gateway, 'queue_depth', 1)
  return { stream, waiting }
}

test('a revoked key: what waits is answered 401, what runs goes on to its end, what comes is refused', () =>
  scenario({ slots: 1 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k' })
    scene.host().play(...firstPart, pause, chunkBytes(contentFrame('b') + finishFrame + done), finalChunk)
    const { stream, waiting } = await runningAndWaiting(scene, key)
    await revoke(scene, key)
    const refused = await scene.answer(waiting)
    await refused.over()
    expect([refused.status, errorOf(refused).code]).toEqual([401, 'invalid_api_key'])
    const late = await scene.ask(keyedBytes(key))
    expect([late.status, errorOf(late).code]).toEqual([401, 'invalid_api_key'])
    expect((await scene.ask(requestBytes('GET', '/v1/models', { authorization: `Bearer ${key.key}` }))).status).toBe(
      401,
    )
    await (await scene.host().exchange()).step()
    await stream.over()
    expect(stream.text).toBe(contentFrame('a') + contentFrame('b') + finishFrame + done)
    expect(await usedOnce(scene.gateway, 2)).toMatchObject({ failed: 1, output: 2 })
    return { requests: 3, attempts: { a: 1 } }
  }))

test('a key that is revoked with its streams: what runs ends in an error frame at once, the host is told, and the slot is free', () =>
  scenario({ slots: 1 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k' })
    const other = await scene.gateway.createKey({ name: 'second' })
    scene.host().play(...firstPart, peerLeaves)
    const { stream, waiting } = await runningAndWaiting(scene, key)
    await revoke(scene, key, { endStreams: true })
    await stream.over(secondMsMax)
    expect(stream.complete).toBe(false)
    expect(errorOf(stream)).toEqual({
      message: 'This key was revoked.',
      type: 'authentication_error',
      param: null,
      code: 'invalid_api_key',
    })
    const refused = await scene.answer(waiting)
    await refused.over()
    expect([refused.status, errorOf(refused).code]).toEqual([401, 'invalid_api_key'])
    await (await scene.host().exchange()).peerLeft(secondMsMax)
    scene.host().play(...soundAnswer)
    expect((await scene.ask(keyedBytes(other))).status).toBe(200)
    // What was generated until then is paid for.
    expect(await usedOnce(scene.gateway, 2, { key: 'k' })).toMatchObject({ failed: 2, output: 1 })
    return { requests: 3, attempts: { a: 2 } }
  }))

test('streams of a key that was revoked without them can still be ended', () =>
  scenario({ slots: 1 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k' })
    scene.host().play(...firstPart, peerLeaves)
    const stream = await scene.answer(await sent(scene, keyedBytes(key, { stream: true })))
    await stream.has('"a"')
    await revoke(scene, key)
    expect(stream.complete || stream.cut).toBe(false)
    await revoke(scene, key, { endStreams: true })
    await stream.over(secondMsMax)
    expect(errorOf(stream).code).toBe('invalid_api_key')
    return { requests: 1, attempts: { a: 1 } }
  }))

async function sent(scene: Scene, request: Buffer) {
  const client = await scene.connect()
  await client.send(request)
  return client
}

test('an expired key is refused from its last millisecond on, and what runs by then goes on', () => {
  const clock = new FakeClock()
  return scenario({ clock, slots: 2 }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k', expiresAt: '10s' })
    scene.host().play(...firstPart, pause, chunkBytes(finishFrame + done), finalChunk)
    scene.host().playAlways(...soundAnswer)
    const stream = await scene.answer(await sent(scene, keyedBytes(key, { stream: true })))
    await stream.has('"a"')
    await clock.advance(9_999)
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    await clock.advance(1)
    const late = await scene.ask(keyedBytes(key))
    expect([late.status, errorOf(late).code]).toEqual([401, 'invalid_api_key'])
    await (await scene.host().exchange()).step()
    await stream.over()
    expect(stream.text).toContain(done)
    return { requests: 3, attempts: { a: 2 } }
  })
})

test('a rotated key: both secrets hold for the time that was given, then the new one alone, under one account', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    const { gateway } = scene
    const old = await gateway.createKey({ name: 'k', limits: { requestsPerDay: 10 } })
    const fresh = (await gateway.admin('POST', `/admin/keys/${old.id}/rotate`, { graceMs: 30_000 })) as CreatedKey
    expect(fresh.key).not.toBe(old.key)
    expect(fresh.id).toBe(old.id)
    scene.host().playAlways(...soundAnswer)
    for (const key of [old, fresh]) expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    expect(await remainingOf(gateway, old, 'requestsPerDay')).toBe(8)
    await clock.advance(29_999)
    expect((await scene.ask(keyedBytes(old))).status).toBe(200)
    await clock.advance(1)
    expect((await scene.ask(keyedBytes(old))).status).toBe(401)
    expect((await scene.ask(keyedBytes(fresh))).status).toBe(200)
    // Without a time of grace the one before ends at once.
    const last = (await gateway.admin('POST', `/admin/keys/${old.id}/rotate`, { graceMs: 0 })) as CreatedKey
    expect((await scene.ask(keyedBytes(fresh))).status).toBe(401)
    expect((await scene.ask(keyedBytes(last))).status).toBe(200)
    return { requests: 7, attempts: { a: 5 } }
  })
})

test('clients without a key are served until the first key is created, and never again, also when the last is revoked', () =>
  scenario({}, async (scene) => {
    const open = ['', 'Bearer none', 'Bearer sk-anything', 'Basic bWU6bWU=']
    const bytes = (authorization: string) => chatBytes({}, authorization === '' ? {} : { authorization })
    scene.host().playAlways(...soundAnswer)
    for (const authorization of open) expect((await scene.ask(bytes(authorization))).status, authorization).toBe(200)
    const key = await scene.gateway.createKey({ name: 'k' })
    const expectClosed = async () => {
      for (const authorization of open) {
        const answer = await scene.ask(bytes(authorization))
        expect([authorization, answer.status, errorOf(answer).code]).toEqual([authorization, 401, 'invalid_api_key'])
      }
      expect((await scene.ask(requestBytes('GET', '/v1/models'))).status).toBe(401)
    }
    await expectClosed()
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    await revoke(scene, key)
    await expectClosed()
    // Those who were served without one have their rows.
    expect(await usedOnce(scene.gateway, 5)).toMatchObject({ failed: 0 })
    return { requests: 13, attempts: { a: 5 } }
  }))

test('what is changed of a key holds from its next request on', () =>
  scenario({}, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k', limits: { requestsPerDay: 1 } })
    scene.host().playAlways(...soundAnswer)
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    expect((await scene.ask(keyedBytes(key))).status).toBe(429)
    await scene.gateway.admin('PATCH', `/admin/keys/${key.id}`, { limits: { requestsPerDay: 2 } })
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    await scene.gateway.admin('PATCH', `/admin/keys/${key.id}`, { limits: { requestsPerDay: null }, models: ['none'] })
    expect((await scene.ask(keyedBytes(key))).status).toBe(403)
    return { requests: 4, attempts: { a: 2 } }
  }))

test('two keys of a team share its limits, and what one of them used the other does not get', () =>
  scenario(
    { config: { teams: { ml: { requestsPerDay: 3, tokensPerDay: 1_000, concurrentRequests: 2 } } } },
    async (scene) => {
      const [a, b] = [
        await scene.gateway.createKey({ name: 'a', team: 'ml', limits: { requestsPerDay: 2 } }),
        await scene.gateway.createKey({ name: 'b', team: 'ml' }),
      ]
      const alone = await scene.gateway.createKey({ name: 'alone' })
      scene.host().playAlways(...answerOf(10, 20))
      expect((await scene.ask(keyedBytes(a))).status).toBe(200)
      expect((await scene.ask(keyedBytes(a))).status).toBe(200)
      const own = await scene.ask(keyedBytes(a))
      expect([own.status, errorOf(own).message]).toEqual([429, expect.stringContaining('The limit of key "a" is 2')])
      expect((await scene.ask(keyedBytes(b))).status).toBe(200)
      const shared = await scene.ask(keyedBytes(b))
      expect([shared.status, errorOf(shared).message]).toEqual([
        429,
        expect.stringContaining('The limit of team "ml" is 3'),
      ])
      expect((await scene.ask(keyedBytes(alone))).status).toBe(200)
      const { rows } = (await usedOnceByTeam(scene)) as { rows: readonly { team: string | null; requests: number }[] }
      expect(rows.map(({ team, requests }) => [team, requests])).toEqual(
        expect.arrayContaining([
          ['ml', 3],
          [null, 1],
        ]),
      )
      return { requests: 6, attempts: { a: 4 } }
    },
  ))

async function usedOnceByTeam({ gateway }: Scene): Promise<unknown> {
  await usedOnce(gateway, 4)
  return gateway.admin('GET', '/admin/usage?by=team')
}

const served = ['org/large', 'org/small', 'private']
const aliased = { config: { models: { aliases: { fast: 'org/small', secret: 'private' } } }, hosts: { a: served } }

test('a key sees its models only, and is told the same of another whether it exists or not', () =>
  scenario(aliased, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k', models: ['org/*', 'fast'] })
    const bearer = { authorization: `Bearer ${key.key}` }
    const get = (path: string) => scene.ask(requestBytes('GET', path, bearer))
    const { data } = JSON.parse((await get('/v1/models')).text) as { data: readonly { id: string }[] }
    expect(data.map(({ id }) => id)).toEqual(['fast', 'org/large', 'org/small'])
    expect((await get('/v1/models/org/large')).status).toBe(200)
    const hidden = await Promise.all(['private', 'secret', 'nowhere'].map((name) => get(`/v1/models/${name}`)))
    for (const answer of hidden) expect([answer.status, errorOf(answer).code]).toEqual([404, 'model_not_found'])
    const unnamed = (text: string) => text.replaceAll(/private|secret|nowhere/g, '?')
    expect(new Set(hidden.map(({ text }) => unnamed(text))).size).toBe(1)
    const asked = (name: string) =>
      scene.ask(jsonRequestBytes('/v1/chat/completions', { model: name, messages: [] }, bearer))
    const refused = [await asked('private'), await asked('secret'), await asked('nowhere')]
    for (const answer of refused) expect([answer.status, errorOf(answer).code]).toEqual([403, 'model_not_allowed'])
    expect(new Set(refused.map(({ text }) => unnamed(text))).size).toBe(1)
    // What it may ask for and nobody has: the others that are named are its own.
    const missing = await asked('org/none')
    expect([missing.status, errorOf(missing).code]).toEqual([404, 'model_not_found'])
    expect(missing.text).not.toMatch(/private|secret/)
    scene.host().playAlways(...soundAnswer)
    for (const name of ['fast', 'org/large']) expect((await asked(name)).status).toBe(200)
    return { requests: 6, attempts: { a: 2 } }
  }))

test('an alias opens what stands behind it, and what stands behind an alias does not open the alias', () =>
  scenario(aliased, async (scene) => {
    const byAlias = await scene.gateway.createKey({ name: 'alias', models: ['secret'] })
    const byName = await scene.gateway.createKey({ name: 'name', models: ['private'] })
    scene.host().playAlways(...soundAnswer)
    const status = async (key: CreatedKey, name: string) => (await scene.ask(keyedBytes(key, { model: name }))).status
    expect([await status(byAlias, 'secret'), await status(byAlias, 'private')]).toEqual([200, 403])
    expect([await status(byName, 'private'), await status(byName, 'secret')]).toEqual([200, 403])
    expect(JSON.parse(String((await scene.host().exchange(0)).request?.body))).toMatchObject({ model: 'private' })
    return { requests: 4, attempts: { a: 2 } }
  }))

test('a good key is not slowed by wrong ones from its own address', () =>
  scenario({ config: { limits: { failedKeysPerMinute: 5 } } }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k' })
    scene.host().playAlways(...soundAnswer)
    const wrong = keyedBytes({ key: `${key.key.slice(0, -1)}!` })
    const statuses: number[] = []
    for (let index = 0; index < 10; index += 1) statuses.push((await scene.ask(wrong)).status)
    expect(statuses).toEqual([...Array.from({ length: 5 }, () => 401), ...Array.from({ length: 5 }, () => 429)])
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    expect(await usedOnce(scene.gateway, 1)).toMatchObject({ failed: 0 })
    return { requests: 11, attempts: { a: 1 } }
  }))

test('a team that is gone from the configuration is told of at the start: its keys go on, without its limits', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const storage = { path: folder.storePath }
  const keys: CreatedKey[] = []
  await scenario({ config: { storage, teams: { gone: { requestsPerDay: 1 }, ml: {} } } }, async (scene) => {
    for (const [name, team] of [
      ['a', 'gone'],
      ['b', 'ml'],
    ] as const)
      keys.push(await scene.gateway.createKey({ name, team }))
    const revoked = await scene.gateway.createKey({ name: 'c', team: 'gone' })
    await revoke(scene, revoked)
    scene.host().playAlways(...soundAnswer)
    expect((await scene.ask(keyedBytes(keys[0]!))).status).toBe(200)
    expect((await scene.ask(keyedBytes(keys[0]!))).status).toBe(429)
    return { requests: 2, attempts: { a: 1 } }
  })
  await scenario({ config: { storage, teams: { ml: {} } } }, async (scene) => {
    const warned = scene.gateway.log.filter(({ level, message }) => level === 'warn' && message.includes('teams'))
    expect(warned.map(({ fields }) => fields)).toEqual([{ teams: 'gone' }])
    scene.host().playAlways(...soundAnswer)
    for (const key of keys) expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    return { requests: 2, attempts: { a: 2 } }
  })
})
