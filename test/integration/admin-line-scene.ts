/** What the tests of the admin API's look at the line share: questions to a gateway that is held, and chats before it. */

import { beforeAll, expect } from 'vitest'
import type { LineView } from '../../src/queue/line-view-schema.ts'
import type { LiveRequest } from '../../src/relay/live-request-schema.ts'
import { AdminDocument } from '../kit/admin-document.ts'
import { type AdminReply, askAdmin, startAdmin } from '../kit/admin-under-test.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, oneHost } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

let document: AdminDocument
beforeAll(async () => {
  await using served = await startAdmin()
  document = await AdminDocument.of(served)
})

/** The operation was seen to answer with each of these. */
export function expectSeen(operation: string, ...statuses: readonly number[]): void {
  const missing = statuses.filter((status) => !document.seen.has(`${operation} ${status}`))
  expect(missing, operation).toEqual([])
}

/** Every answer here is held against the document. */
export async function admin(gateway: GatewayUnderTest, method: 'GET' | 'POST', path: string): Promise<AdminReply> {
  const reply = await askAdmin(`${gateway.adminUrl}${path}`, method, { token: gateway.adminToken })
  document.expectTold(method, path, reply)
  return reply
}

export async function queue(gateway: GatewayUnderTest, query = ''): Promise<LineView> {
  return (await admin(gateway, 'GET', `/admin/queue${query}`)).json as LineView
}

export async function requests(gateway: GatewayUnderTest, query = ''): Promise<readonly LiveRequest[]> {
  return ((await admin(gateway, 'GET', `/admin/requests${query}`)).json as { requests: LiveRequest[] }).requests
}

/** Changes to what waits and runs, as the log has them. */
export const changesOf = (gateway: GatewayUnderTest) =>
  gateway.log
    .filter(
      ({ message, fields }) => message === 'admin change' && /^(?:queue|host|request)/.test(String(fields['action'])),
    )
    .map(({ fields }) => fields)

interface Chat {
  readonly key?: string
  readonly stream?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** As plain HTTP clients see it: nothing is tried again. */
export function chat(
  gateway: GatewayUnderTest,
  content: string,
  { key = 'none', stream = false, headers = {} }: Chat = {},
) {
  const answer = fetch(`${gateway.baseUrl}/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...ask(content, 8), stream }),
  })
  answer.catch(() => {})
  return within(10_000, `the answer to ${content}`, answer)
}

export const codeOf = async (answer: Response): Promise<unknown> =>
  ((await answer.json()) as { error: { code: string } }).error.code

/** One host with one slot, whose answers take 100 ms to their first token and 100 ms for each one, of a time that the test moves. */
export async function held(config: Parameters<typeof oneHost>[1] = {}) {
  const clock = new FakeClock()
  const cost = { ttftMs: 100, decodeTokensPerSecond: 10 }
  const { double, gateway } = await oneHost({ clock, cost }, { host: { slots: 1 }, ...config })
  /** All that is running, to its end. */
  const finish = () => clock.advance(1_000)
  return { clock, double, gateway, finish }
}

export const asked = (double: LmxDouble, content: string): boolean =>
  double.inferenceRequests.some(({ body }) => body.includes(content))

/** A stream of which the first content has come. */
export async function startStream(
  gateway: GatewayUnderTest,
  double: LmxDouble,
  { clock, ...more }: { clock: FakeClock; key?: string },
) {
  const content = `stream ${double.inferenceRequests.length}`
  const answer = chat(gateway, content, { stream: true, ...more })
  await double.waitFor(() => asked(double, content), content)
  await clock.advance(200)
  const reader = (await answer).body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const readUntil = async (holds: () => boolean): Promise<void> => {
    while (!holds()) {
      const { done = true, value = '' } = (await within(5_000, 'more of the stream', read(reader))) ?? {}
      text += value
      if (done) return
    }
  }
  await readUntil(() => text.includes('w0 '))
  return {
    /** All of it, once it has ended, well or not. */
    async rest(): Promise<string> {
      await readUntil(() => false)
      return text
    },
  }
}

/** An end that breaks the connection is an end. */
async function read(reader: ReadableStreamDefaultReader<string> | undefined) {
  try {
    return await reader?.read()
  } catch {
    return undefined
  }
}

/** The first request of a list, as soon as there is one. */
export async function firstOnce(gateway: GatewayUnderTest, query: string): Promise<LiveRequest> {
  const look = async (): Promise<LiveRequest> => {
    for (;;) {
      const [first] = await requests(gateway, query)
      if (first !== undefined) return first
    }
  }
  return within(5_000, `a request ${query}`, look())
}
