/** The client of a stream gets the very bytes that its host sent, however they were framed, cut and sent. */

import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ChaosHost, halfClose, pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { answerStream, captureBody, cutAt, cuts, eachByte, eventsIn, frame, lineEnds } from '../kit/sse-streams.ts'

let host: ChaosHost
let gateway: GatewayUnderTest
let client: RawClient
/** Requests whose outcome is known. */
let ended = 0

beforeAll(async () => {
  host = await ChaosHost.start({ models: ['tiny'] })
  gateway = await startGateway({ hosts: [{ url: host.url, kind: 'openai' }], log: { level: 'info' } })
  client = await RawClient.open(gateway.port)
})

afterAll(async () => {
  client.close()
  await gateway[Symbol.asyncDispose]()
  await host.close()
})

/** Asks for a stream that the host answers with `script`, on the one connection of the client. */
async function ask(script: readonly ScriptStep[], body: object = {}): Promise<HttpMessage> {
  host.play(wholeRequest, ...script)
  await client.send(jsonRequestBytes('/v1/chat/completions', { model: 'tiny', messages: [], stream: true, ...body }))
  return client.response()
}

/** The whole answer, and what the gateway noted of it. */
async function relayed(script: readonly ScriptStep[], body: object = {}) {
  const answer = await ask(script, body)
  await answer.over()
  ended += 1
  const line = (await gateway.outcomesOnce(ended))[ended - 1]
  const { end, tokensIn, tokensOut, usage } = line?.fields ?? {}
  return { bytes: answer.body, complete: answer.complete, noted: { end, tokensIn, tokensOut, usage } }
}

/** Each piece is a chunk of HTTP and a write to the network of its own. */
const chunked = (pieces: readonly Buffer[]): ScriptStep[] => [
  sseHeadBytes(),
  ...pieces.filter((piece) => piece.length > 0).map(chunkBytes),
  finalChunk,
]

/** Framed by the end of the connection: where the pieces are cut is the network's alone. */
const untilClose = (pieces: readonly Buffer[]): ScriptStep[] => [
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n',
  ...pieces,
  halfClose,
]

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')
const without = (bytes: Buffer, part: string) => Buffer.from(bytes.toString('latin1').replace(part, ''), 'latin1')

const chunk = (delta: object, reason: string | null = null) =>
  frame({ choices: [{ index: 0, delta, finish_reason: reason }] })
const role = chunk({ role: 'assistant', content: '' })
const finish = chunk({}, 'stop')
const usage = frame({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } })
const done = 'data: [DONE]\n\n'
const asked = { stream_options: { include_usage: true } }

describe('U27: a transcript cut at every byte', () => {
  const captured = captureBody('chat.stream.usage')
  const usageOfCapture = /data: [^\n]*"choices":\[\],"usage"[^\n]*\n\n/.exec(captured.toString('latin1'))?.[0] ?? ''

  test('the client gets the same bytes, less the usage that it did not ask for', async () => {
    expect(captured.length).toBeGreaterThan(1_700)
    const wanted = sha256(without(captured, usageOfCapture))
    for (let cut = 1; cut < captured.length; cut++) {
      const { bytes, ...rest } = await relayed(chunked([captured.subarray(0, cut), captured.subarray(cut)]))
      expect([cut, sha256(bytes)]).toEqual([cut, wanted])
      expect(rest).toEqual({ complete: true, noted: { end: '--', tokensIn: 4, tokensOut: 6, usage: 'reported' } })
    }
  })

  test.each<[string, object]>([
    ['\r\n', {}],
    ['\r\n', asked],
    ['\r', {}],
  ])('with lines ended by %j, a short one, asked for with %j', async (lineEnd, body) => {
    const frames = [role, chunk({ content: 'é' }), finish, usage, done].map((text) => text.replaceAll('\n', lineEnd))
    const transcript = Buffer.from(frames.join(''))
    const wanted = frames.filter((_text, index) => body === asked || index !== 3).join('')
    for (let cut = 1; cut < transcript.length; cut++) {
      const { bytes, ...rest } = await relayed(chunked([transcript.subarray(0, cut), transcript.subarray(cut)]), body)
      expect([cut, sha256(bytes)]).toEqual([cut, sha256(wanted)])
      expect(rest).toEqual({ complete: true, noted: { end: '--', tokensIn: 7, tokensOut: 3, usage: 'reported' } })
    }
  })

  test('one byte in each packet', async () => {
    const transcript = [role, chunk({ content: 'w' }), finish, usage, done].join('')
    for (const script of [chunked, untilClose]) {
      const { bytes, noted } = await relayed(script(eachByte(Buffer.from(transcript))), asked)
      expect(bytes.toString()).toBe(transcript)
      expect(noted).toMatchObject({ end: '--', tokensOut: 3 })
    }
  })

  test('all in one packet, and several answers on one connection', async () => {
    for (let time = 0; time < 3; time++) {
      const { bytes } = await relayed(
        [Buffer.concat([sseHeadBytes(), chunkBytes(captured), Buffer.from(finalChunk)])],
        asked,
      )
      expect(sha256(bytes)).toBe(sha256(captured))
    }
  })
})

test('U28: characters of several bytes, a byte in each packet', async () => {
  const text = '你好🦀 é'
  const transcript = role + frame({ choices: [{ index: 0, delta: { content: text } }] }) + finish + done
  for (const script of [chunked, untilClose]) {
    const { bytes } = await relayed(script(eachByte(Buffer.from(transcript))))
    expect(bytes.equals(Buffer.from(transcript))).toBe(true)
    expect(bytes.toString()).not.toContain('\uFFFD')
  }
})

describe('U29: every way to frame events', () => {
  test('any answer in any framing, cut anywhere: the bytes of the host, metered as a parser reads them', async () => {
    const script = fc.constantFrom(chunked, untilClose)
    await fc.assert(
      fc.asyncProperty(
        answerStream,
        cuts,
        fc.boolean(),
        fc.boolean(),
        script,
        async (made, positions, asks, told, how) => {
          const frames = made.frames.filter((one) => told || one !== made.usageFrame)
          const sent = Buffer.from(frames.join(''))
          const wanted = frames.filter((one) => asks || one !== made.usageFrame).join('')
          const { bytes, ...rest } = await relayed(how(cutAt(sent, positions)), asks ? asked : {})
          expect(bytes.toString('latin1')).toBe(Buffer.from(wanted).toString('latin1'))
          expect(rest).toEqual({ complete: true, noted: { end: '--', ...tokensOf(sent) } })
        },
      ),
      { numRuns: 150 },
    )
  })

  /** Counts by the parser that clients use. */
  function tokensOf(sent: Buffer) {
    const chunks = eventsIn(sent)
      .filter(({ data }) => data !== '[DONE]')
      .map(
        ({ data }) =>
          JSON.parse(data) as { choices: { delta: { content?: string } }[]; usage?: Record<string, number> },
      )
    const reported = chunks.findLast((one) => one.usage !== undefined)?.usage
    if (reported !== undefined)
      return { tokensIn: reported['prompt_tokens'], tokensOut: reported['completion_tokens'], usage: 'reported' }
    const contents = chunks.filter(({ choices }) => (choices[0]?.delta.content ?? '') !== '')
    // Nobody told of the prompt: by its size.
    const tokensIn: unknown = expect.any(Number)
    return { tokensIn, tokensOut: contents.length, usage: 'counted' }
  }

  test('lines of other fields, comments and empty lines in their places', async () => {
    const odd = [
      '\uFEFF: hello\n\n',
      'retry: 3000\n\n',
      'id: 1\nevent: chunk\n: "content":"x"\ndata:{"choices":[{"index":0,"delta":{"content":"w"}}]}\n\n',
      '\n\n',
      'data: {"choices":[{"index":0,\ndata: "delta":{"content":\ndata:"w"}}]}\nother\nother: 1\n\n',
      ': ping\n\n',
      'data\n\n',
      finish,
      done,
    ].join('')
    for (const lineEnd of lineEnds) {
      const sent = Buffer.from(odd.replaceAll('\n', lineEnd))
      const { bytes, noted } = await relayed(chunked([sent]))
      expect(bytes.toString()).toBe(sent.toString())
      expect(noted).toMatchObject({ end: '--', tokensOut: 2 })
    }
  })
})

describe('a frame that arrived goes out at once', () => {
  test.each(lineEnds)('with lines ended by %j: the host waits for the client to have it', async (lineEnd) => {
    const frames = [
      ...Array.from({ length: 20 }, (_, index) => chunk({ content: `w${index} ` })),
      ': ping\n\n',
      chunk({ content: 'last' }),
      finish,
    ].map((text) => text.replaceAll('\n', lineEnd))
    const first = host.exchanges.length
    const steps = frames.flatMap<ScriptStep>((text) => [chunkBytes(text), pause])
    const answer = await ask([sseHeadBytes(), ...steps, chunkBytes(done), finalChunk])
    const exchange = await host.exchange(first)
    let sent = ''
    for (const text of frames) {
      sent += text
      const soFar = sent
      await answer.until(5_000, `the client to have ${JSON.stringify(text)}`, ({ body }) => body.length >= soFar.length)
      expect(answer.text).toBe(soFar)
      await exchange.step()
    }
    await answer.over()
    ended += 1
    expect(answer.text).toBe(sent + done)
  })

  test('and one that did not arrive whole does not', async () => {
    const [one, two] = [chunk({ content: 'one' }), chunk({ content: 'two' })]
    for (let cut = 1; cut < two.length; cut += 7) {
      const first = host.exchanges.length
      const answer = await ask([
        sseHeadBytes(),
        chunkBytes(one + two.slice(0, cut)),
        pause,
        chunkBytes(two.slice(cut) + finish + done),
        finalChunk,
      ])
      await answer.has(one)
      expect(answer.text).toBe(one)
      await (await host.exchange(first)).step()
      await answer.over()
      ended += 1
      expect(answer.text).toBe(one + two + finish + done)
    }
  })
})
