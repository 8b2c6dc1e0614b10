/** Classes at the door: who may have which, what is refused, and that no host ever hears of them. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, oneHost, startDouble } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { jsonRequestBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import { within } from '../kit/within.ts'

const header = 'x-lmx-gateway-priority'

/** Sends one chat and resolves with status and body, and the class that its line in the log has. */
async function sent(gateway: GatewayUnderTest, headers: Readonly<Record<string, string>>, path = '/chat/completions') {
  const before = gateway.outcomes().length
  const answer = await fetch(`${gateway.baseUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(ask('hello', 1)),
  })
  const body = (await answer.json()) as { error?: { code: string; param: string; message: string } }
  const outcomes = await gateway.outcomesOnce(before + 1)
  return { status: answer.status, error: body.error, class: outcomes.at(-1)!.fields['class'] }
}

describe('the class of a request', () => {
  test('of a client without a key is default at the most', async () => {
    const { gateway } = await oneHost()
    expect(await sent(gateway, {})).toMatchObject({ status: 200, class: 'default' })
    expect(await sent(gateway, { [header]: 'interactive' })).toMatchObject({ status: 200, class: 'default' })
    expect(await sent(gateway, { [header]: 'bulk' })).toMatchObject({ status: 200, class: 'bulk' })
  })

  test.each([
    ['interactive', { none: 'interactive', interactive: 'interactive', default: 'default', bulk: 'bulk' }],
    ['default', { none: 'default', interactive: 'default', default: 'default', bulk: 'bulk' }],
    ['bulk', { none: 'bulk', interactive: 'bulk', default: 'bulk', bulk: 'bulk' }],
  ])('is never more than its key allows: %s', async (ofKey, expected) => {
    const { gateway } = await oneHost()
    const { key } = await gateway.createKey({ class: ofKey })
    for (const [said, is] of Object.entries(expected)) {
      const asked: Record<string, string> = said === 'none' ? {} : { [header]: said }
      expect(await sent(gateway, { authorization: `Bearer ${key}`, ...asked })).toMatchObject({
        status: 200,
        class: is,
      })
    }
  })

  test.each(['high', '', 'bulk, interactive', 'INTERACTIVE'])('is refused when it is none: "%s"', async (said) => {
    const { double, gateway } = await oneHost()
    const refused = await sent(gateway, { [header]: said })
    expect(refused).toMatchObject({ status: 400, error: { code: 'invalid_request', param: header }, class: null })
    expect(refused.error!.message).toContain('interactive, default, bulk')
    expect(double.inferenceRequests).toHaveLength(0)
  })

  test('is refused when it was said twice', async () => {
    const { double, gateway } = await oneHost()
    const client = await RawClient.open(gateway.port)
    onTestFinished(() => client.close())
    const bytes = jsonRequestBytes('/v1/chat/completions', ask('hello', 1), { [header]: 'bulk' }).toString()
    await client.send(Buffer.from(bytes.replace(`${header}: bulk\r\n`, `${header}: bulk\r\n${header}: bulk\r\n`)))
    const answer = await client.response()
    await answer.over()
    expect(answer.status).toBe(400)
    expect(answer.text).toContain(header)
    expect(double.inferenceRequests).toHaveLength(0)
  })

  test('stays here: no host hears of it, nor of the words that other servers use', async () => {
    const { double, gateway } = await oneHost()
    const { key } = await gateway.createKey({ class: 'interactive' })
    const headers = { [header]: 'bulk', 'x-priority': 'high', 'x-serving-lane': 'interactive', 'x-client-id': 'me' }
    expect(await sent(gateway, { authorization: `Bearer ${key}`, ...headers })).toMatchObject({ class: 'bulk' })
    const names = Object.keys(double.inferenceRequests[0]!.headers)
    expect(names.filter((name) => name.startsWith('x-lmx-gateway'))).toEqual([])
    for (const name of ['x-priority', 'x-serving-lane', 'x-client-id']) expect(names).not.toContain(name)
  })
})

test('who waits is served by class, whatever the order of arrival', async () => {
  const clock = new FakeClock()
  const double = await startDouble({ clock, cost: { ttftMs: 100 }, slots: 4 })
  const gateway = await gatewayBefore([{ name: 'studio', url: double.url, slots: 1 }])
  const { key } = await gateway.createKey({ class: 'interactive' })
  const client = clientOf(gateway, { apiKey: key, maxRetries: 0 })
  const chat = (content: string, said: string) => {
    const answer = client.chat.completions.create(ask(content, 1), { headers: { [header]: said } })
    answer.catch(() => {})
    return answer
  }
  const answers = [chat('running', 'default')]
  await double.waitFor(({ running }) => running === 1, 'the first request')
  const waiting = ['bulk', 'default', 'interactive', 'bulk', 'default', 'interactive']
  for (const [index, said] of waiting.entries()) {
    answers.push(chat(`${said} ${index}`, said))
    await gaugeReaches(gateway, 'queue_depth', index + 1)
  }
  for (let count = 1; count <= answers.length; count += 1) {
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === count, `request ${count}`)
    await clock.advance(100)
  }
  await within(5_000, 'all answers', Promise.all(answers))
  const contents = double.inferenceRequests.map(
    ({ json }) => (json as { messages: { content: string }[] }).messages[0]!.content,
  )
  expect(contents).toEqual(['running', 'interactive 2', 'interactive 5', 'default 1', 'default 4', 'bulk 0', 'bulk 3'])
  for (const ofClass of ['interactive', 'default', 'bulk']) {
    expect(await gateway.sum('queue_wait_seconds_count', { class: ofClass, outcome: 'granted' })).toBe(
      ofClass === 'default' ? 3 : 2,
    )
  }
})
