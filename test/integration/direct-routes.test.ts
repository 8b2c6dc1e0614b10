/** The relay's routes have two ways in: by their exact target, and by a router for whatever is written otherwise. Both give the same. */
import { expect, test } from 'vitest'
import { endpoints } from '../../src/wire/endpoints.ts'
import { wholeRequest } from '../kit/chaos-host.ts'
import {
  chunkBytes,
  finalChunk,
  type Headers,
  jsonResponseBytes,
  requestBytes,
  sseHeadBytes,
} from '../kit/http-bytes.ts'
import { chatAnswer, contentFrame, done, finishFrame, model, type Scene, scenario } from './scenarios/scene.ts'

const json = { 'content-type': 'application/json' }
const asked = { model, messages: [{ role: 'user', content: 'Hello' }] }
const page = 'https://pages.example'

/** What differs between two answers that are the same. */
const own = new Set(['date', 'x-request-id', 'x-lmx-gateway-queue-ms', 'x-ratelimit-remaining-requests'])

/** An answer as it came, but for what is its own. */
async function answered(scene: Scene, target: string, body: string, headers: Headers): Promise<string[]> {
  const client = await scene.connect()
  const answer = await scene.ask(requestBytes('POST', target, headers, body), client)
  client.close()
  const fields = answer.headers.map(([name, value]) => `${name}: ${own.has(name.toLowerCase()) ? '' : value}`)
  return [answer.startLine, ...fields, answer.text]
}

const ways = (path: string) => [path, `${path}?`, `http://127.0.0.1${path}`] as const

const cases: readonly (readonly [name: string, body: string, headers: Headers])[] = [
  ['a whole answer', JSON.stringify(asked), json],
  ['a stream', JSON.stringify({ ...asked, stream: true }), json],
  ['an id of the client', JSON.stringify(asked), { ...json, 'X-Request-Id': 'mine-1' }],
  ['a page that may ask', JSON.stringify(asked), { ...json, origin: page }],
  ['a body that is no JSON', '{', json],
  ['a form that is not taken', 'x', { 'content-type': 'text/plain' }],
  ['a model that is nowhere', JSON.stringify({ ...asked, model: 'none' }), json],
  ['a key that nobody has', JSON.stringify(asked), { ...json, authorization: 'Basic x' }],
  ['a last request', JSON.stringify(asked), { ...json, connection: 'close' }],
]

test.each(cases)('both ways answer alike, header by header: %s', (_name, body, headers) =>
  scenario({ config: { server: { corsOrigins: [page] } } }, async (scene) => {
    const streams = body.includes('"stream":true')
    const frames = contentFrame('once') + finishFrame + done
    scene
      .host()
      .playAlways(
        wholeRequest,
        ...(streams
          ? [sseHeadBytes(), chunkBytes(frames), finalChunk]
          : [jsonResponseBytes(200, JSON.parse(chatAnswer('whole')))]),
      )
    const [straight, ...others] = ways('/v1/chat/completions')
    const expected = await answered(scene, straight, body, headers)
    for (const target of others) expect(await answered(scene, target, body, headers)).toEqual(expected)
    return { requests: 3, attempts: { a: scene.host().exchanges.length } }
  }),
)

test('every relayed path is taken on both ways', () =>
  scenario({}, async (scene) => {
    for (const { path } of endpoints) {
      const [straight, ...others] = ways(path)
      const expected = await answered(scene, straight, 'x', { 'content-type': 'text/plain' })
      expect(expected[0]).toBe('HTTP/1.1 415 Unsupported Media Type')
      for (const target of others) {
        expect(await answered(scene, target, 'x', { 'content-type': 'text/plain' })).toEqual(expected)
      }
    }
    return { requests: 3 * endpoints.length, attempts: {} }
  }))

const hosts = ['a', 'a:1', 'a:80', 'a:1234', 'a:59999', 'a:65535', 'A.example', '[::1]:4000', 'a_b', 'xn--a', 'a..b']
const oddHosts = ['a b', 'a/b', 'a?b', 'a#b', 'u@a', 'a:', 'a:x', 'a:99999', '1.2.3', '1.2.3.4.5', '%61', 'ä', 'a,b']

test.each([...hosts, ...oddHosts])('a host that only one way would take does not exist: %s', (host) =>
  scenario({}, async (scene) => {
    const [straight, other] = ways('/v1/chat/completions')
    const fields = { 'content-type': 'text/plain', host }
    const expected = await answered(scene, other, 'x', fields)
    expect(await answered(scene, straight, 'x', fields)).toEqual(expected)
    return { requests: expected[0]?.includes('415') === true ? 2 : 0, attempts: {} }
  }),
)
