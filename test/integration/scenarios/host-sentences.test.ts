/** A host that says where it runs and by what: its clients are not told, and whoever looks into the log is. */
import { expect, test } from 'vitest'
import { type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { disclosuresIn } from './disclosures.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, type SceneOptions, scenario } from './scene.ts'

const lmxHost: SceneOptions = {
  host: { kind: 'lmx' },
  get: {
    '/healthz': { status: 'ok', version: '0.1.0' },
    '/.well-known/opta-lmx': { service: 'opta-lmx', in_flight_requests: 0 },
  },
}
const apiKey = 'sk-canary-of-the-host'
const trace = `Traceback (most recent call last):\n  File "/opt/lmx/serve.py", line 7\nOSError: 10.0.0.7:8000 ${apiKey}`
const errorFrame = `data: ${JSON.stringify({ error: { message: trace, code: 500 } })}\n\n`
const inText = contentFrame(`\n\n[Error: Stream inference failed: ${trace.replaceAll('\n', ' ')}]`)

const tellings: Readonly<Record<string, readonly ScriptStep[]>> = {
  'under status 500': [jsonResponseBytes(500, { error: { message: trace } })],
  'as a detail': [jsonResponseBytes(504, { detail: trace })],
  'under status 200': [jsonResponseBytes(200, { error: { message: trace } })],
  'before any content': [sseHeadBytes(), chunkBytes(errorFrame), finalChunk],
  'in a frame': [sseHeadBytes(), chunkBytes(contentFrame('x') + errorFrame), finalChunk],
  'in its text': [sseHeadBytes(), chunkBytes(contentFrame('x') + inText + finishFrame + done), finalChunk],
}

test.each(Object.entries(tellings))('X31: a host’s traceback, path, address and key %s stay here', (how, script) =>
  scenario({ ...lmxHost, apiKey }, async (scene) => {
    scene.host().playAlways(wholeRequest, ...script)
    const answer = await scene.ask(chatBytes({ stream: how.startsWith('in') || how.startsWith('before') }))
    expect(disclosuresIn(errorOf(answer).message)).toEqual([])
    expect(errorOf(answer).message).toMatch(/^The host (?:answered with status 50\d|told an error in its answer)\.$/)
    expect(answer.text).not.toContain('Traceback')
    const attempts = scene.host().exchanges.length
    const told = scene.gateway.log.filter(({ fields }) => 'said' in fields)
    expect(told.map(({ level }) => level)).toEqual(Array.from({ length: attempts }, () => 'debug'))
    // Once content is out the request is not kept, so that what repeats it could not be told apart.
    const said = how.startsWith('in ') ? '[left out]' : '10.0.0.7:8000 [redacted]'
    for (const { fields } of told) expect(fields['said']).toContain(said)
    return { requests: 1, attempts: { a: attempts }, secrets: [apiKey] }
  }),
)

test('X31: what a host says of the request, or without saying where it is, is for the client', () =>
  scenario({}, async (scene) => {
    for (const [status, message] of [
      [400, 'No image at https://example.org/a.png: 1.2.3'],
      [500, 'RuntimeError: CUDA out of memory'],
    ] as const) {
      scene.host().play(wholeRequest, jsonResponseBytes(status, { error: { message } }))
      const client = await scene.connect()
      await client.send(chatBytes())
      const answer = await client.response()
      await answer.over()
      expect(errorOf(answer).message).toBe(message)
    }
    return { requests: 2, attempts: { a: 2 } }
  }))
