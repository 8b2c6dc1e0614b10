/** What the gateway sees of a prompt that is only blocks: digests of its beginnings, as it would have made them of the text. */
import { noPrompt, type Prompt } from '../../src/balancing/prompt.ts'
import type { Arrival } from './workload.ts'

const bytesPerToken = 4
/** Farther in a beginning is remembered only every so many blocks, so that the longest prompt has few enough. */
const denseBlocks = 192
const everyBlock = 8

export function promptOf({ blocks = [], commonBlocks = 0, input, stream }: Arrival, blockTokens: number): Prompt {
  if (blocks.length === 0) return noPrompt
  const kept = blocks.flatMap((block, at) => (at < denseBlocks || (at + 1) % everyBlock === 0 ? [{ block, at }] : []))
  const bytes = input * bytesPerToken
  return {
    print: {
      digests: kept.map(({ block }) => block),
      ends: kept.map(({ at }) => Math.min(bytes, Math.round((at + 1) * blockTokens * bytesPerToken))),
      bytes,
      commonCount: Math.min(commonBlocks, kept.length),
      owner: stream.key,
    },
    session: null,
  }
}
