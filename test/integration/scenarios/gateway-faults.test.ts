/** Faults of the gateway's own code, wherever they strike: they cost the request in which they happen, and nobody else. */
import { expect, test, vi } from 'vitest'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { Transport } from '../../../src/hosts/transport.ts'
import { Meter } from '../../../src/metering/meter.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import { Attempt } from '../../../src/relay/attempt.ts'
import { AttemptClocks } from '../../../src/relay/attempt-clocks.ts'
import type { BodyOwner } from '../../../src/relay/body-reader.ts'
import { Exchange } from '../../../src/relay/exchange.ts'
import { RelayedRequest } from '../../../src/relay/relayed-request.ts'
import { StreamAnswer } from '../../../src/relay/stream-answer.ts'
import { Watchdog } from '../../../src/relay/watchdog.ts'
import { WholeAnswer } from '../../../src/relay/whole-answer.ts'
import { StreamProgress } from '../../../src/wire/stream-progress.ts'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, requestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, type Scene, scenario } from './scene.ts'

const secret = '10.1.2.3'
const raise = (): never => {
  throw new Error(`connect ECONNREFUSED ${secret}:1234`)
}
const failBody = (_limits: unknown, owner: BodyOwner): void =>
  owner.bodyFailed(new Error(`connect ECONNREFUSED ${secret}:1234`))
const frames = contentFrame('once') + contentFrame(' upon') + finishFrame

type Fault = readonly [point: string, plant: () => unknown]

const beforeTheHost: readonly Fault[] = [
  ['reading the body', () => vi.spyOn(Exchange.prototype, 'readBody').mockImplementationOnce(failBody)],
  ['beginning to read the body', () => vi.spyOn(Exchange.prototype, 'readBody').mockImplementationOnce(raise)],
  ['routing', () => vi.spyOn(ModelCatalog.prototype, 'route').mockImplementationOnce(raise)],
  ['asking for a slot', () => vi.spyOn(Dispatcher.prototype, 'ask').mockImplementationOnce(raise)],
  ['making a tally', () => vi.spyOn(TokenTallies.prototype, 'tally').mockImplementationOnce(raise)],
  ['starting an attempt', () => vi.spyOn(Attempt.prototype, 'start').mockImplementationOnce(raise)],
  ['setting a deadline', () => vi.spyOn(Watchdog.prototype, 'set').mockImplementationOnce(raise)],
  ['sending', () => vi.spyOn(Transport.prototype, 'send').mockImplementationOnce(raise)],
]

const inTheAnswer: readonly Fault[] = [
  [
    'setting the clocks of an answer',
    () => vi.spyOn(AttemptClocks.prototype, 'connected').mockImplementationOnce(raise),
  ],
  ['choosing a reader', () => vi.spyOn(RelayedRequest.prototype, 'readerFor').mockImplementationOnce(raise)],
  ['reading a stream', () => vi.spyOn(StreamAnswer.prototype, 'data').mockImplementationOnce(raise)],
  ['looking at a frame', () => vi.spyOn(StreamProgress.prototype, 'see').mockImplementationOnce(raise)],
  ['counting', () => vi.spyOn(Meter.prototype, 'content').mockImplementationOnce(raise)],
  ['sending the head', () => vi.spyOn(Exchange.prototype, 'head').mockImplementationOnce(raise)],
  ['writing', () => vi.spyOn(Exchange.prototype, 'write').mockImplementationOnce(raise)],
  ['ending the answer', () => vi.spyOn(Exchange.prototype, 'end').mockImplementationOnce(raise)],
]

test.each([...beforeTheHost, ...inTheAnswer])('G21: a fault while %s', (_point, plant) =>
  faulty(plant, { stream: true }),
)

const inWholeAnswers: readonly Fault[] = [
  ['reading an answer', () => vi.spyOn(WholeAnswer.prototype, 'data').mockImplementationOnce(raise)],
  ['reading its end', () => vi.spyOn(WholeAnswer.prototype, 'end').mockImplementationOnce(raise)],
]

test.each(inWholeAnswers)('G21: a fault while %s that is not streamed', (_point, plant) => faulty(plant, {}))

async function faulty(plant: () => unknown, fields: { stream?: true }): Promise<void> {
  await scenario({}, async (scene) => {
    const other = await beginOther(scene)
    const streamed: ScriptStep[] = [wholeRequest, sseHeadBytes(), chunkBytes(frames + done), finalChunk]
    const whole: ScriptStep[] = [wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole')))]
    scene.host().playAlways(...(fields.stream === true ? streamed : whole))
    plant()
    const answer = await scene.ask(chatBytes(fields))
    vi.restoreAllMocks()
    expectHonestFault(answer)
    await (await scene.host().exchange()).step()
    await other.over()
    expect(other).toMatchObject({ complete: true, text: frames + done })
    expect((await scene.ask(chatBytes(fields))).status).toBe(200)
    return { requests: 3, attempts: { a: scene.host().exchanges.length }, faults: 1 }
  })
}

/** A stream of somebody else, under way. */
async function beginOther(scene: Scene): Promise<HttpMessage> {
  const [first = '', ...rest] = frames.split(/(?<=\n\n)/)
  scene
    .host()
    .play(wholeRequest, sseHeadBytes(), chunkBytes(first), pause, chunkBytes(rest.join('') + done), finalChunk)
  const client = await scene.connect()
  await client.send(chatBytes({ stream: true }))
  const answer = await scene.answer(client)
  await answer.has('once')
  return answer
}

function expectHonestFault(answer: HttpMessage): void {
  if (answer.status === 200) expect(answer.complete).toBe(false)
  else expect(answer).toMatchObject({ status: 500, complete: true })
  expect(errorOf(answer)).toEqual({
    message: 'The gateway failed on this request.',
    type: 'internal_error',
    param: null,
    code: 'internal_error',
  })
  for (const word of [secret, 'ECONNREFUSED', '.ts', 'node:']) expect(answer.text).not.toContain(word)
}

test('G21: a fault on a path that is not relayed', () =>
  scenario({}, async (scene) => {
    vi.spyOn(ModelCatalog.prototype, 'list').mockImplementationOnce(raise)
    const client = await scene.connect()
    await client.send(requestBytes('GET', '/v1/models'))
    const answer = await client.response()
    await answer.over()
    expectHonestFault(answer)
    await client.send(requestBytes('GET', '/v1/models'))
    expect((await client.response()).status).toBe(200)
    return { requests: 0, attempts: {}, faults: 1 }
  }))
