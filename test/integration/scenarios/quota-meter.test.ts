/** Whatever a client sends, leaves out or does not wait for: its key pays for what the host generated, and gets no more than it may. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pause, peerLeaves, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gatewayBefore, startDouble } from '../../kit/fleet.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { scratchFolder } from '../../kit/stored-rows.ts'
import { eventually } from '../../kit/within.ts'
import { answerOf, keyedBytes, remainingOf, soundAnswer, usedBy, usedOnce } from './access-scene.ts'
import { chatAnswer, contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const jsonOf = (body: Buffer | undefined) => JSON.parse(String(body)) as Record<string, unknown>
const usageFrame = (input: number, output: number): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices: [], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } })}\n\n`
const contents = (count: number): string =>
  Array.from({ length: count }, (_, index) => contentFrame(`w${index} `)).join('')

describe('X37: meter evasion', () => {
  test.each([
    ['nothing', {}],
    ['include_usage: false', { stream_options: { include_usage: false } }],
    ['stream_options: null', { stream_options: null }],
    ['include_usage: null', { stream_options: { include_usage: null } }],
  ])(
    'X37: a stream with %s is counted by the usage that only the gateway asked for, and of which its client sees nothing',
    (_what, fields) =>
      scenario({}, async (scene) => {
        const key = await scene.gateway.createKey({ name: 'k' })
        const stream = contents(3) + finishFrame
        scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(stream + usageFrame(70, 33) + done), finalChunk)
        const answer = await scene.ask(keyedBytes(key, { stream: true, ...fields }))
        expect(answer.text).toBe(stream + done)
        const asked = jsonOf((await scene.host().exchange()).request?.body)
        expect(asked['stream_options']).toEqual({ include_usage: true })
        expect(await usedOnce(scene.gateway, 1)).toMatchObject({
          input: 70,
          output: 33,
          inputUnreported: 0,
          outputUnreported: 0,
        })
        return { requests: 1, attempts: { a: 1 } }
      }),
  )

  test('X37: who leaves a large answer that is no stream before its end pays for what came of it, as far as bytes tell', () =>
    scenario({ config: { relay: { answerHoldBytesMax: 1_024 } } }, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits: { tokensPerDay: 1_000_000 } })
      const whole = jsonResponseBytes(200, JSON.parse(chatAnswer('x'.repeat(400_000))))
      scene.host().play(wholeRequest, whole.subarray(0, whole.indexOf('{') + 200_000), peerLeaves)
      const client = await scene.connect()
      await client.send(keyedBytes(key))
      const answer = await client.response()
      await eventually(5_000, 'half of it to be there', () => answer.body.length === 200_000)
      client.close()
      const row = await usedOnce(scene.gateway, 1)
      expect(row).toMatchObject({ failed: 1, output: 50_000, outputUnreported: 50_000 })
      expect(row.input).toBeGreaterThan(10)
      const left = await remainingOf(scene.gateway, key, 'tokensPerDay')
      expect(left).toBe(1_000_000 - row.input - row.output)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('X37: who leaves before the usage frame pays for each frame that passed, and for the prompt', () =>
    scenario({}, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits: { tokensPerDay: 10_000 } })
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(contents(40)), peerLeaves)
      const client = await scene.connect()
      await client.send(keyedBytes(key, { stream: true }))
      const answer = await client.response()
      await answer.has('w39')
      client.close()
      const row = await usedOnce(scene.gateway, 1)
      expect(row).toMatchObject({ failed: 1, output: 40, outputUnreported: 40 })
      expect(row.input).toBeGreaterThan(20)
      expect(10_000 - (await remainingOf(scene.gateway, key, 'tokensPerDay'))).toBe(row.input + row.output)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('X37: a host that reports nothing is counted all the same', () =>
    scenario({}, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k' })
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(contents(12) + finishFrame + done), finalChunk)
      expect((await scene.ask(keyedBytes(key, { stream: true }))).complete).toBe(true)
      const row = await usedOnce(scene.gateway, 1)
      expect(row).toMatchObject({ failed: 0, output: 12, outputUnreported: 12 })
      expect(row.input).toBeGreaterThan(20)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test.each([
    ['n', '/v1/chat/completions', { n: 4, messages: [] }, 4],
    ['n for each of two prompts', '/v1/completions', { n: 2, prompt: ['a', 'b'] }, 4],
    ['n_cmpl', '/v1/chat/completions', { n_cmpl: 4, messages: [] }, 4],
    ['best_of', '/v1/completions', { best_of: 8, prompt: 'a' }, 8],
    ['best_of for each of two prompts', '/v1/completions', { best_of: 3, n: 2, prompt: ['a', 'b'] }, 6],
    ['echo', '/v1/completions', { echo: true, prompt: 'a' }, 1],
  ])(
    'X37: %s is reserved for every choice that is generated, and settled by what the host says',
    (_what, path, fields, generations) => {
      const clock = new FakeClock()
      return scenario({ clock }, async (scene) => {
        const key = await scene.gateway.createKey({ name: 'k', limits: { outputTokensPerMinute: 6_000 } })
        const before = await remainingOf(scene.gateway, key, 'outputTokensPerMinute')
        const [, sound] = answerOf(9, 77)
        scene.host().play(wholeRequest, pause, sound ?? '')
        const request = jsonRequestBytes(
          path,
          { model, max_tokens: 50, ...fields },
          { authorization: `Bearer ${key.key}` },
        )
        const asked = scene.ask(request)
        const exchange = await scene.host().exchange()
        expect(before - (await remainingOf(scene.gateway, key, 'outputTokensPerMinute'))).toBe(50 * generations)
        await exchange.step()
        expect((await asked).status).toBe(200)
        expect(await usedOnce(scene.gateway, 1, { clock })).toMatchObject({ input: 9, output: 77 })
        expect(before - (await remainingOf(scene.gateway, key, 'outputTokensPerMinute'))).toBeLessThanOrEqual(77)
        return { requests: 1, attempts: { a: 1 } }
      })
    },
  )

  test.each([
    ['max_tokens, which most read', { max_tokens: 200 }, 200],
    ['max_tokens, whatever n_predict says', { max_tokens: 200, n_predict: 1 }, 200],
    ['the larger of two', { max_tokens: 200, max_completion_tokens: 100 }, 200],
    ['what answers have taken, where only a spelling of few hosts is given', { n_predict: 1 }, 256],
    ['the same, where it is one that not all hosts of chats know', { max_completion_tokens: 1 }, 256],
    ['the same, where the bound is 0', { max_tokens: 0 }, 256],
  ])('X37: reserved is %s', (_what, fields, reserved) =>
    scenario({ clock: new FakeClock() }, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits: { outputTokensPerMinute: 6_000 } })
      const before = await remainingOf(scene.gateway, key, 'outputTokensPerMinute')
      scene.host().play(wholeRequest, pause, ...answerOf(9, 1).slice(1))
      const asked = scene.ask(keyedBytes(key, fields))
      const exchange = await scene.host().exchange()
      expect(before - (await remainingOf(scene.gateway, key, 'outputTokensPerMinute'))).toBe(reserved)
      await exchange.step()
      expect((await asked).status).toBe(200)
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  const spellings: readonly (readonly [string, object])[] = [
    ['nothing', {}],
    ['max_tokens: 1000000', { max_tokens: 1_000_000 }],
    ['max_tokens: -1', { max_tokens: -1 }],
    ['max_tokens: 0', { max_tokens: 0 }],
    ['max_tokens: null', { max_tokens: null }],
    ['max_tokens: "100000"', { max_tokens: '100000' }],
    ['max_tokens: 1e9', { max_tokens: 1e9 }],
    ['max_completion_tokens: 100000', { max_completion_tokens: 100_000 }],
    ['max_output_tokens: 100000', { max_output_tokens: 100_000 }],
    ['n_predict: -1', { n_predict: -1 }],
    ['n_predict: 100000 and max_tokens: 5', { n_predict: 100_000, max_tokens: 5 }],
    [
      'all of them',
      { max_tokens: 99_999, max_completion_tokens: 99_998, max_output_tokens: 99_997, n_predict: 99_996 },
    ],
  ]
  const limited = [
    ['/v1/chat/completions', 'max_tokens', { messages: [] }],
    ['/v1/completions', 'max_tokens', { prompt: 'a' }],
    ['/v1/responses', 'max_output_tokens', { input: 'a' }],
    ['/v1/messages', 'max_tokens', { messages: [] }],
  ] as const

  test.each(limited)(
    'X37: %s: no spelling of a length gets a host to generate more than the key may have',
    (path, own, fields) =>
      scenario({}, async (scene) => {
        const key = await scene.gateway.createKey({ name: 'k', maxOutputTokens: 50 })
        scene.host().playAlways(...soundAnswer)
        for (const [index, [what, spelling]] of spellings.entries()) {
          const body = { model, ...fields, ...spelling }
          const answer = await scene.ask(jsonRequestBytes(path, body, { authorization: `Bearer ${key.key}` }))
          expect(answer.status, what).toBe(200)
          const got = jsonOf((await scene.host().exchange(index)).request?.body)
          const bounds = Object.entries(got).filter(([name]) => /^(?:max_.*tokens|n_predict)$/.test(name))
          expect(
            bounds.map(([name]) => name),
            what,
          ).toContain(own)
          for (const [name, value] of bounds)
            expect(value, `${what}: ${name}`).toSatisfy(
              (it) => Number.isInteger(it) && Number(it) >= 1 && Number(it) <= 50,
            )
          if ('max_tokens' in spelling && spelling.max_tokens === 5) expect(got['max_tokens']).toBe(5)
          // All else is as it was sent.
          expect(got).toMatchObject(fields)
        }
        return { requests: spellings.length, attempts: { a: spellings.length } }
      }),
  )

  test('X37: over many requests of every kind the ledger has what the host says it generated', async () => {
    const double = await startDouble({ models: [model], slots: 4, answerTokens: 30 })
    const gateway = await gatewayBefore([{ name: 'studio', url: double.url }])
    const { key } = await gateway.createKey({ name: 'k' })
    const ask = async (path: string, body: object): Promise<void> => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
      const answer = await fetch(`${gateway.url}${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ model, ...body }),
      })
      expect(answer.status).toBe(200)
      await answer.text()
    }
    const messages = [{ role: 'user', content: 'Tell me' }]
    let requests = 0
    for (const stream of [true, false]) {
      for (const more of [{}, { max_tokens: 7 }, { stream_options: { include_usage: false } }]) {
        if (stream || !('stream_options' in more)) {
          await ask('/v1/chat/completions', { messages, stream, ...more })
          requests += 1
        }
      }
      await ask('/v1/messages', { messages, stream, max_tokens: 9 })
      requests += 1
    }
    const row = await usedOnce(gateway, requests)
    const answered = double.inferenceRequests
    const sum = (of: 'tokens' | 'promptTokens') => answered.reduce((total, entry) => total + entry[of], 0)
    expect(sum('tokens')).toBeGreaterThan(0)
    expect(row).toMatchObject({ output: sum('tokens'), input: sum('promptTokens') })
  })
})

describe('S08: 100 calls at once', () => {
  test.each([
    { tokensPerMinute: 100, maxTokens: 20 },
    { tokensPerMinute: 100, maxTokens: 1 },
    { tokensPerMinute: 1_000, maxTokens: 3 },
    { tokensPerMinute: 1_000, maxTokens: 200 },
  ])(
    'S08: of 100 calls at once under $tokensPerMinute tokens a minute, of $maxTokens each, no more get to the host than one over',
    ({ tokensPerMinute, maxTokens }) =>
      scenario({ slots: 100 }, async (scene) => {
        const { gateway } = scene
        const key = await gateway.createKey({ name: 'k', limits: { tokensPerMinute } })
        const request = jsonRequestBytes(
          '/v1/chat/completions',
          { model, messages: [], max_tokens: maxTokens },
          { authorization: `Bearer ${key.key}` },
        )
        const prompt = Math.ceil((request.length - request.indexOf('\r\n\r\n') - 4) / 4)
        const [, sound] = answerOf(prompt, maxTokens)
        // Nobody is answered before all have asked.
        scene.host().playAlways(wholeRequest, pause, sound ?? '')
        const clients = await Promise.all(Array.from({ length: 100 }, () => scene.connect()))
        await Promise.all(clients.map((client) => client.send(request)))
        const answers = clients.map(async (client) => {
          const answer = await scene.answer(client)
          await answer.over()
          return answer
        })
        const { exchanges } = scene.host()
        const decided = () => gateway.outcomes().length + exchanges.length === clients.length
        await eventually(20_000, 'each call to be refused or at the host', decided)
        const running = scene.host().exchanges.length
        for (const exchange of scene.host().exchanges) await exchange.step()
        const statuses = (await Promise.all(answers)).map(({ status }) => status)
        const served = statuses.filter((status) => status === 200).length
        expect(served).toBe(running)
        expect(served).toBeGreaterThan(0)
        expect(statuses.filter((status) => status === 429)).toHaveLength(100 - served)
        const row = await usedOnce(gateway, served)
        expect(row.input + row.output).toBe(served * (prompt + maxTokens))
        expect(row.input + row.output).toBeLessThanOrEqual(tokensPerMinute + prompt + maxTokens)
        // None of what was refused is anywhere but in the log.
        expect(await usedBy(gateway)).toMatchObject({ requests: served, failed: 0 })
        return { requests: 100, attempts: { a: served } }
      }),
  )
})

test('G24: a gateway that dies between reserve and settle: the next one holds nothing of what was reserved', async () => {
  const folder = scratchFolder()
  onTestFinished(() => folder[Symbol.dispose]())
  const after = join(folder.path, 'after')
  mkdirSync(after)
  await scenario({ slots: 4, config: { storage: { path: folder.storePath } } }, async (scene) => {
    const { gateway } = scene
    const limits = { concurrentRequests: 1, tokensPerDay: 2_500, requestsPerDay: 100 }
    const key = await gateway.createKey({ name: 'k', limits })
    // Eight answers of the 256 tokens that one is taken to have.
    const request = keyedBytes(key, { n: 8 })
    scene.host().play(wholeRequest, pause, ...soundAnswer.slice(1))
    const running = scene.ask(request)
    const exchange = await scene.host().exchange()
    expect((await scene.ask(request)).status).toBe(429)
    expect(await remainingOf(gateway, key, 'tokensPerDay')).toBeLessThan(500)
    const endsAt = performance.now() + 10_000
    while ((await usedBy(gateway)).unfinished !== 1 && performance.now() < endsAt);
    // What a power cut would leave on the disk.
    for (const name of ['gateway.db', 'gateway.db-wal', 'gateway-usage.db', 'gateway-usage.db-wal'])
      cpSync(join(folder.path, name), join(after, name))
    const host = { name: 'a', url: scene.host().url, kind: 'openai' as const, keepAliveMs: 250 }
    scene.host().play(...soundAnswer)
    const token = gateway.adminToken
    {
      await using next = await startGateway({
        hosts: [host],
        storage: { path: join(after, 'gateway.db') },
        probe: { everyMs: 600_000 },
      })
      const client = await RawClient.open(next.port)
      onTestFinished(() => client.close())
      await client.send(request)
      const answer = await client.response()
      await answer.over()
      expect([answer.status, answer.status === 200 ? null : errorOf(answer)]).toEqual([200, null])
      const used = await fetch(`${next.adminUrl}/admin/usage?by=`, { headers: { authorization: `Bearer ${token}` } })
      // The dead one's row is ended; what was sent to a host counts as far as it was known.
      expect(await used.json()).toMatchObject({ total: { unfinished: 1 } })
      client.close()
    }
    await exchange.step()
    expect((await running).status).toBe(200)
    return { requests: 2, attempts: { a: 2 } }
  })
})
