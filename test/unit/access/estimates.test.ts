import { describe, expect, it } from 'vitest'
import { sizeOf } from '../../../src/access/body-size.ts'
import { type Asked, Estimates } from '../../../src/access/estimates.ts'
import { used } from './limiter-parts.ts'

function askedOf(bytes: number | Buffer, more: Partial<Asked> = {}): Asked {
  const body = typeof bytes === 'number' ? Buffer.alloc(bytes, 'x') : bytes
  return {
    who: 'k',
    model: 'm',
    endpoint: 'chat_completions',
    body,
    maxOutputTokens: null,
    leastOutputTokens: null,
    choices: 1,
    ...more,
  }
}

/** After so many requests of which the host said so. */
function learned(times: number, input: number, output: number, asked: Asked): Estimates {
  const estimates = new Estimates(10)
  for (let i = 0; i < times; i++) estimates.expect(asked).learn(used(input, output))
  return estimates
}

describe('prompt tokens', () => {
  it('are a quarter of the bytes until something better is known, and never 0', () => {
    const estimates = new Estimates(10)
    expect([0, 1, 4_000].map((bytes) => estimates.expect(askedOf(bytes)).expected.input)).toEqual([1, 1, 1_000])
  })

  it.each([2, 3, 6])('at %d bytes a token are learned within ten requests, for the model and endpoint', (ratio) => {
    const estimates = learned(10, 6_000 / ratio, 10, askedOf(6_000))
    const expected = estimates.expect(askedOf(12_000)).expected.input
    expect(expected / (12_000 / ratio)).toBeGreaterThan(0.9)
    expect(expected / (12_000 / ratio)).toBeLessThan(1.1)
    for (const other of [{ model: 'other' }, { endpoint: 'completions' as const }]) {
      expect(estimates.expect(askedOf(12_000, other)).expected.input).toBe(3_000)
    }
  })

  it('are learned by each key for itself: what one sends does not change what others reserve', () => {
    const estimates = new Estimates(10)
    const picture = Buffer.from('{"image_url":"data:image/png;base64,AAAA"}')
    for (let i = 0; i < 200; i++) {
      estimates.expect(askedOf(10_000_000)).learn(used(10, 1))
      estimates.expect(askedOf(picture)).learn(used(20_000, 1))
    }
    const expected = (body: number | Buffer, who: string) => estimates.expect(askedOf(body, { who })).expected.input
    expect([expected(4_000, 'other'), expected(4_000, 'k')]).toEqual([1_000, 201])
    expect(expected(picture, 'other')).toBeLessThan(1_020)
    expect(expected(picture, 'k')).toBeGreaterThan(15_000)
  })

  it('one huge body teaches no more than a long prompt', () => {
    const estimates = learned(40, 2_000, 10, askedOf(8_000))
    estimates.expect(askedOf(10_000_000)).learn(used(10, 10))
    expect(estimates.expect(askedOf(8_000)).expected.input).toBeGreaterThan(1_500)
  })

  it('a host that lies moves them no further than any tokenizer would', () => {
    expect(learned(500, 1, 1, askedOf(4_000)).expect(askedOf(4_000)).expected.input).toBeGreaterThanOrEqual(200)
    expect(learned(500, 1e12, 1, askedOf(4_000)).expect(askedOf(4_000)).expected.input).toBeLessThanOrEqual(4_000)
  })

  it('a host that does not count them teaches nothing', () => {
    expect(learned(50, 0, 10, askedOf(4_000)).expect(askedOf(4_000)).expected.input).toBe(1_000)
  })

  it('pictures count by the piece, not by their bytes, and what one takes is learned', () => {
    const picture = (count: number) =>
      Buffer.from(
        JSON.stringify({
          content: Array.from({ length: count }, () => ({
            type: 'image_url',
            image_url: { url: `data:image/png;base64,${'A'.repeat(400_000)}` },
          })),
        }),
      )
    const estimates = new Estimates(10)
    const expected = () => estimates.expect(askedOf(picture(2))).expected.input
    expect(expected()).toBeGreaterThan(2_000)
    expect(expected()).toBeLessThan(2_100)
    for (let i = 0; i < 60; i++) estimates.expect(askedOf(picture(1))).learn(used(300, 5))
    expect(expected()).toBeGreaterThan(500)
    expect(expected()).toBeLessThan(700)
  })
})

describe('within what a prompt lies', () => {
  const sizeOfPrompt = (estimates: Estimates, body: number | Buffer = 40_000) => estimates.expect(askedOf(body)).prompt
  const miss = (estimates: Estimates): number => {
    const { least, most } = sizeOfPrompt(estimates)
    return most / Math.max(1, least)
  }

  it('is wide until something was learned: code and prose, and languages with other letters', () => {
    const { least, most, textBytes, media } = sizeOfPrompt(new Estimates(10))
    expect([textBytes, media]).toEqual([40_000, 0])
    // From nearly 9 bytes a token to 2.5.
    expect([least, most]).toEqual([4_545, 16_000])
  })

  it('is narrow once prompts were as long as expected, and true', () => {
    const { least, most } = sizeOfPrompt(learned(40, 12_000, 10, askedOf(40_000)))
    expect(least).toBeLessThan(12_000 / 1.2)
    expect(least).toBeGreaterThan(12_000 / 1.4)
    expect(most).toBeGreaterThan(12_000)
    expect(most).toBeLessThan(12_000 * 1.15)
  })

  it('is wider again where they are now of one kind and now of another', () => {
    const even = learned(60, 10_000, 10, askedOf(40_000))
    const mixed = new Estimates(10)
    for (let i = 0; i < 60; i++) mixed.expect(askedOf(40_000)).learn(used(i % 2 === 0 ? 7_000 : 16_000, 1))
    expect(miss(mixed)).toBeGreaterThan(2 * miss(even))
    const { least, most } = sizeOfPrompt(mixed)
    expect([least < 7_000, most > 16_000]).toEqual([true, true])
  })

  it('teaches next to nothing where the prompt is so short that its template is most of it', () => {
    const estimates = learned(60, 90, 1, askedOf(80))
    expect(miss(estimates)).toBeGreaterThan(miss(learned(60, 10_000, 1, askedOf(40_000))))
  })

  it('pictures have at least some tokens and may have twice the mean', () => {
    const url = `data:image/png;base64,${'A'.repeat(100_000)}`
    const body = Buffer.from(JSON.stringify({ content: [{ type: 'image_url', image_url: { url } }] }))
    const { least, most, media } = sizeOfPrompt(new Estimates(10), body)
    expect([media, least >= 50 && least < 100, most >= 2_000 && most < 2_100]).toEqual([1, true, true])
  })
})

describe('generated tokens', () => {
  it('are those of the key with the model, else of the model, else 256', () => {
    const estimates = learned(200, 10, 40, askedOf(100))
    const output = (more: Partial<Asked>) => estimates.expect(askedOf(100, more)).expected.output
    expect(output({})).toBeLessThan(45)
    expect(output({ who: 'other' })).toBeLessThan(45)
    expect(output({ model: 'other' })).toBe(256)
  })

  it('are no more than the client allows, for each of its choices', () => {
    const estimates = new Estimates(10)
    const output = (maxOutputTokens: number | null, choices: number) =>
      estimates.expect(askedOf(100, { maxOutputTokens, choices })).expected.output
    expect([output(10, 1), output(10, 4), output(null, 2), output(100_000, 1), output(0, 1)]).toEqual([
      10, 40, 512, 256, 1,
    ])
  })

  it('that were cut by a bound of the client teach nothing, unless they were longer than all before', () => {
    const output = (estimates: Estimates) => estimates.expect(askedOf(100)).expected.output
    const cut = (length: number) => askedOf(100, { leastOutputTokens: length })
    expect(output(learned(60, 2, 1, cut(1)))).toBe(256)
    expect(output(learned(60, 2, 2, cut(1)))).toBe(256)
    expect(output(learned(60, 2, 4, { ...cut(1), choices: 4 }))).toBe(256)
    expect(output(learned(60, 2, 20, cut(21)))).toBeLessThan(60)
    expect(output(learned(60, 2, 900, cut(900)))).toBeGreaterThan(700)
  })

  it('of several choices are learned for one', () => {
    const estimates = learned(200, 10, 400, askedOf(100, { choices: 4 }))
    expect(estimates.expect(askedOf(100)).expected.output).toBeLessThan(110)
  })

  it.each(['embeddings', 'rerank', 'count_tokens', 'transcriptions', 'translations', 'speech'] as const)(
    'are none of %s',
    (endpoint) => {
      const { expected } = learned(5, 10, 500, askedOf(100, { endpoint })).expect(askedOf(100, { endpoint }))
      expect(expected.output).toBe(0)
      expect(expected.input).toBeGreaterThan(0)
    },
  )
})

describe('what is text and what is data', () => {
  const size = (value: unknown) => sizeOf(Buffer.from(JSON.stringify(value)), 'chat_completions')
  const data = 'A'.repeat(10_000)

  it.each([
    ['OpenAI', { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } }],
    ['OpenAI, sound', { type: 'input_audio', input_audio: { data, format: 'wav' } }],
    ['Responses', { type: 'input_image', image_url: `data:image/png;base64,${data}` }],
    ['Anthropic', { type: 'image', source: { type: 'base64', media_type: 'image/png', data } }],
  ])('%s', (_, part) => {
    const { media, textBytes } = size({ messages: [{ content: [part, { type: 'text', text: 'hello' }] }] })
    expect(media).toBe(1)
    expect(textBytes).toBeLessThan(200)
  })

  it('a text that speaks of pictures is text', () => {
    const text = JSON.stringify({ image_url: { url: `data:image/png;base64,${data}` } })
    const body = { messages: [{ content: text }] }
    expect(size(body)).toEqual({ media: 0, textBytes: JSON.stringify(body).length })
  })

  it.each([
    ['behind a mark of data', { content: `data:;base64,${'all work '.repeat(1_000)}` }],
    ['of no blanks', { content: `data:image/png;base64,${'AllWork'.repeat(1_000)}` }],
    ['that speaks of a picture', { content: `"url":"data:image/png;base64,${'AllWork'.repeat(1_000)}` }],
    ['behind a picture', { image_url: { url: `data:image/png;base64,AAAA ${'all work '.repeat(1_000)}` } }],
    ['in the place of sound', { input_audio: { data: 'all work '.repeat(1_000) } }],
  ])('a text %s is text, whatever picture stands beside it', (_, part) => {
    const { media, textBytes } = size({ messages: [part], x: { image_url: 0 } })
    expect(media).toBeGreaterThan(0)
    expect(textBytes).toBeGreaterThan(6_900)
  })

  it('data may be written with slashes escaped, and with blanks before it', () => {
    for (const url of [`"url": "data:image/png;base64,${'A\\/'.repeat(1_000)}=="`, `"url" : "data:;base64,${data}"`]) {
      const { media, textBytes } = sizeOf(Buffer.from(`{"image_url":{${url}}}`), 'chat_completions')
      expect([media, textBytes < 100]).toEqual([1, true])
    }
    expect(sizeOf(Buffer.from(`{"media_type":"image/png","data": "${data}"}`), 'messages').textBytes).toBeLessThan(100)
  })

  it('costs little for a body that is made to cost much', () => {
    const body = Buffer.from('"image_url":;base64,"data":""'.repeat(500_000))
    expect(sizeOf(body, 'chat_completions').media).toBe(1_000)
  })

  it('an upload is one piece', () => {
    expect(sizeOf(Buffer.alloc(1_000_000), 'transcriptions')).toEqual({ textBytes: 0, media: 1 })
  })
})
