/** Several answers in one stream: its pieces come faster than those of any of them, and none of them is told as so fast. */
import { expect, test } from 'vitest'
import { wholeRequest } from '../kit/chaos-host.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import { chatBytes, done, model, scenario } from './scenarios/scene.ts'

function frame(index: number, finishReason: string | null): string {
  const choice = { index, delta: finishReason === null ? { content: 'word ' } : {}, finish_reason: finishReason }
  return `data: ${JSON.stringify({ choices: [choice] })}\n\n`
}

test.each([
  [2, 0],
  [1, 2],
])('of %i answers %i tokens count for the speed of a stream', (n, decoded) =>
  scenario({}, async (scene) => {
    const answers = Array.from({ length: n }, (_, index) => index)
    const pieces = [0, 1, 2].flatMap(() => answers.map((index) => frame(index, null)))
    const ends = answers.map((index) => frame(index, 'stop'))
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes([...pieces, ...ends, done].join('')), finalChunk)
    const answer = await scene.ask(chatBytes({ stream: true, n }))
    expect(answer.complete).toBe(true)
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ tokensOut: 3 * n })
    const series = `lmx_gateway_decode_tokens_total{model="${model}",host="a"}`
    expect(await scene.gateway.metrics()).toContain(`${series} ${decoded}\n`)
    return { requests: 1, attempts: { a: 1 } }
  }),
)
