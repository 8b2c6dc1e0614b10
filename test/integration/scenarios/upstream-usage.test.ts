/** What hosts report of their token counts: once, often, twice, not at all, or nonsense. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { peerLeaves, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { chatBytes, contentFrame, done, finishFrame, model, type Scene, scenario } from './scene.ts'

type Usage = Readonly<Record<string, unknown>> | null

const counts = (prompt: number, completion: number): Usage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
})

/** A frame of the story with usage beside its content. */
function frame(content: string, usage: Usage): string {
  const data = JSON.parse(contentFrame(content).slice('data: '.length)) as object
  return `data: ${JSON.stringify({ ...data, usage })}\n\n`
}

/** The frame that ends the story, with usage in it. */
function lastFrame(usage: Usage): string {
  const data = JSON.parse(finishFrame.slice('data: '.length)) as object
  return `data: ${JSON.stringify({ ...data, usage })}\n\n`
}

function usageFrame(usage: Usage): string {
  const chunk = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices: [], usage }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

interface Metered {
  readonly tokensIn: unknown
  readonly tokensOut: number
  readonly usage: 'reported' | 'counted' | 'estimated'
}

/** Of a prompt of which its host tells nothing: by its size. */
const bySize = expect.toSatisfy((tokens: number) => Number.isInteger(tokens) && tokens > 0) as unknown

const three = ['once', ' upon', ' a time']
const bare = three.map(contentFrame).join('') + finishFrame
const reported = (tokensIn: number, tokensOut: number): Metered => ({ tokensIn, tokensOut, usage: 'reported' })
const counted: Metered = { tokensIn: bySize, tokensOut: 3, usage: 'counted' }
const estimated: Metered = { tokensIn: bySize, tokensOut: 0, usage: 'estimated' }

test.each<[string, string, Metered]>([
  ['one frame of usage', bare + usageFrame(counts(7, 5)), reported(7, 5)],
  ['the same usage twice', bare + usageFrame(counts(7, 5)) + usageFrame(counts(7, 5)), reported(7, 5)],
  ['usage that is corrected', bare + usageFrame(counts(7, 9)) + usageFrame(counts(7, 5)), reported(7, 5)],
  [
    'usage in the last frame and again',
    bare.replace(finishFrame, lastFrame(counts(7, 4))) + usageFrame(counts(7, 5)),
    reported(7, 5),
  ],
  [
    'usage so far in every frame',
    three.map((text, index) => frame(text, counts(7, index + 1))).join('') + lastFrame(counts(7, 4)),
    reported(7, 4),
  ],
  [
    'zeros in every frame',
    three.map((text) => frame(text, counts(0, 0))).join('') + lastFrame(counts(0, 0)),
    reported(0, 0),
  ],
  ['a zero at the end', bare + usageFrame(counts(7, 5)) + usageFrame(counts(0, 0)), reported(0, 0)],
])('U42: of several reports the last one counts, never a sum, and a zero is a value: %s', (_what, story, metered) =>
  scenario({}, async (scene) => {
    await expectStream(scene, { story, metered, options: { include_usage: true }, seen: story })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

const nulls = three.map((text) => frame(text, null)).join('') + lastFrame(null)

test.each<[string, string, Metered, string]>([
  ['a frame without choices', bare + usageFrame(counts(7, 5)), reported(7, 5), bare],
  ['null in every frame, then a frame without choices', nulls + usageFrame(counts(7, 5)), reported(7, 5), nulls],
  ['null in every frame, and nothing else', nulls, counted, nulls],
  ['a frame without choices whose usage is null', bare + usageFrame(null), counted, bare + usageFrame(null)],
  ['none at all', bare, counted, bare],
])('U43: usage is taken where it is told, and frames are counted where it is not: %s', (_what, story, metered, seen) =>
  scenario({}, async (scene) => {
    // Usage was asked for on the gateway's own account, so the frame with it is not the client's.
    await expectStream(scene, { story, metered, seen })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each<[string, string, Metered]>([
  ['without usage', '', estimated],
  ['with usage of null', ',"usage":null', estimated],
  ['with usage', `,"usage":${JSON.stringify(counts(7, 5))}`, reported(7, 5)],
  ['with zeros', `,"usage":${JSON.stringify(counts(0, 0))}`, reported(0, 0)],
])('U43: of an answer that is not streamed only a report can be taken: %s', (_what, usage, metered) =>
  scenario({}, async (scene) => {
    await expectWhole(scene, usage, metered)
    expect(await scene.gateway.metric('usage_rejected_total', { host: 'a' })).toBe(0)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each([
  ['negative', '-1'],
  ['1e308', '1e308'],
  ['a text', '"7"'],
  ['a fraction', '1.5'],
  ['a list', '[7]'],
])('U44: usage that is %s is rejected, and what passed is counted instead', (_what, value) =>
  scenario({}, async (scene) => {
    const usage = `{"prompt_tokens":${value},"completion_tokens":${value},"total_tokens":${value}}`
    const story = bare + usageFrame(null).replace('null', usage)
    await expectStream(scene, { story, metered: counted, options: { include_usage: true }, seen: story })
    expect(await scene.gateway.metric('usage_rejected_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U44: one bad count does not cost the good ones', () =>
  scenario({}, async (scene) => {
    const story = bare + usageFrame({ prompt_tokens: 7, completion_tokens: -5 })
    const metered: Metered = { tokensIn: 7, tokensOut: 3, usage: 'reported' }
    await expectStream(scene, { story, metered, options: { include_usage: true }, seen: story })
    expect(await scene.gateway.metric('usage_rejected_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U44: NaN, as Python writes it, is no JSON: the frame goes out as it came, and what passed is counted', () =>
  scenario({}, async (scene) => {
    const story = bare + usageFrame(null).replace('null', '{"prompt_tokens":NaN,"completion_tokens":NaN}')
    await expectStream(scene, { story, metered: counted, options: { include_usage: true }, seen: story })
    return { requests: 1, attempts: { a: 1 } }
  }))

test.each([
  ['negative', '{"prompt_tokens":-1,"completion_tokens":-1}'],
  ['1e308', '{"prompt_tokens":1e308,"completion_tokens":1e308}'],
  ['NaN', '{"prompt_tokens":NaN,"completion_tokens":NaN}'],
])('U44: usage of an answer that is not streamed is rejected where it is %s', (_what, usage) =>
  scenario({}, async (scene) => {
    await expectWhole(scene, `,"usage":${usage}`, estimated)
    expect(await scene.gateway.metric('usage_rejected_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

const anyCount = fc.oneof(
  fc.integer({ min: 0, max: 1_000_000_000 }),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 2 }),
)
const countNames = ['prompt_tokens', 'completion_tokens', 'input_tokens', 'output_tokens', 'total_tokens']
const anyUsage = fc.dictionary(fc.constantFrom(...countNames, 'prompt_tokens_details'), anyCount)
const runs = process.env['TEST_LONG'] === 'true' ? 1_000 : 60

test(`U44: whatever is reported, the answer is whole and the counts are whole numbers within bounds (${runs} reports)`, () =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    let requests = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyUsage, { minLength: 1, maxLength: 3 }), async (usages) => {
        const story = bare + usages.map(usageFrame).join('')
        scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story + done), finalChunk)
        const answer = await scene.ask(chatBytes({ stream: true, stream_options: { include_usage: true } }), client)
        requests += 1
        expect(answer.text).toBe(story + done)
        const line = (await scene.gateway.outcomesOnce(requests)).at(-1)
        for (const name of ['tokensIn', 'tokensOut']) {
          const count = Number(line?.fields[name])
          expect(Number.isInteger(count) && count >= 0 && count <= 1_000_000_000, `${name}: ${count}`).toBe(true)
        }
      }),
      { numRuns: runs },
    )
    return { requests, attempts: { a: requests } }
  }))

interface Expected {
  /** All that the host sends before its `[DONE]`. */
  readonly story: string
  readonly metered: Metered
  readonly options?: Readonly<Record<string, unknown>>
  /** What the client gets of it. */
  readonly seen: string
}

async function expectStream(scene: Scene, { story, metered, options, seen }: Expected): Promise<void> {
  // Behind its mark of the end a host may leave the connection to the gateway.
  const end = options === undefined ? finalChunk : peerLeaves
  scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story + done), end)
  const streamOptions = options === undefined ? {} : { stream_options: options }
  const answer = await scene.ask(chatBytes({ stream: true, ...streamOptions }))
  expect(answer.text).toBe(seen + done)
  expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', ...metered })
  // The counter was raised as the frames passed, and a counter is never taken back.
  const output = Math.max(three.length, metered.tokensOut)
  expect(await scene.gateway.sum('tokens_total', { type: 'output' })).toBe(output)
}

async function expectWhole(scene: Scene, usage: string, metered: Metered): Promise<void> {
  const body = `{"id":"chatcmpl-1","object":"chat.completion","choices":[]${usage}}`
  scene.host().play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, body))
  const answer = await scene.ask(chatBytes())
  expect([answer.status, answer.text]).toEqual([200, body])
  expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', ...metered })
}
