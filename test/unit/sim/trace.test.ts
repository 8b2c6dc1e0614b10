/** Recorded traces as workloads: both formats, the load they are stretched to, and files that are none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readTrace, traceWorkload } from '../../sim/trace.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lmx-sim-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function file(text: string): string {
  const path = join(folder, 'trace')
  writeFileSync(path, text)
  return path
}

const head = 'TIMESTAMP,ContextTokens,GeneratedTokens'

describe('a trace', () => {
  it("is read from Azure's CSV, from its first request on", () => {
    const path = file(`${head}\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n`)
    expect(readTrace(path, 10)).toEqual([
      { atMs: 0, input: 374, output: 44 },
      { atMs: 4_315, input: 396, output: 109 },
    ])
  })

  it("is read from Mooncake's JSON lines, and no further than asked", () => {
    const line = (timestamp: number) =>
      JSON.stringify({ timestamp, input_length: 1_100, output_length: 0, hash_ids: [7, 8, timestamp] })
    expect(readTrace(file([100, 140, 180].map(line).join('\n')), 2)).toEqual([
      { atMs: 0, input: 1_100, output: 1, blocks: [7, 8] },
      { atMs: 40, input: 1_100, output: 1, blocks: [7, 8] },
    ])
  })

  it.each([
    ['something else', 'hello\n', 'is neither a CSV'],
    ['a broken row', `${head}\n2023-11-16 18:15:46.6,374\n`, 'trace:2 is no request of a trace: 2023-11-16'],
    ['a row too long', `${head}\n2023-11-16 18:15:46.6,374,1,1\n`, 'trace:2 is no request'],
    ['a broken line', '{"timestamp": 0, "input_length": 9, "output_length": 1}\n{"time', 'trace:2 is no request'],
    ['a line without lengths', '{"timestamp": 0}\n', 'trace:1 is no request'],
    [
      'a line with blocks that are none',
      '{"timestamp": 0, "input_length": 9, "output_length": 1, "hash_ids": ["a"]}\n',
      'trace:1 is no request',
    ],
    ['one request', `${head}\n2023-11-16 18:15:46.6,374,1\n`, 'has fewer than two requests.'],
  ])('%s is refused in one sentence', (_what, text, sentence) => {
    expect(() => readTrace(file(text), 10)).toThrow(sentence)
  })

  it('that is not there is refused with its path', () => {
    expect(() => readTrace(join(folder, 'gone'), 10)).toThrow(/gone cannot be read: ENOENT/)
  })
})

it('the time between requests is stretched to the load, and chance deals them out to keys', () => {
  const requests = Array.from({ length: 500 }, (_, at) => ({ atMs: at, input: 1_000, output: 200 }))
  const span = (load: number) => traceWorkload(requests, { load })(1).arrivals.at(-1)!.atMs
  expect(span(0.5)).toBeCloseTo(2 * span(1), 6)
  const dealt = Map.groupBy(traceWorkload(requests, { load: 1 })(1).arrivals, ({ stream }) => stream.key)
  expect(dealt.size).toBe(8)
  expect(dealt.get('key1')!.length).toBeGreaterThan(4 * dealt.get('key8')!.length)
})

it("Mooncake's blocks are what hosts keep, prompts and blocks are divided alike, and beginnings that many have are common", () => {
  const requests = Array.from({ length: 100 }, (_, at) => ({
    atMs: 1_000 * at,
    input: 2_048,
    output: 200,
    blocks: [7, 8, 100 + (at % 50), 300 + at],
  }))
  const { arrivals, hosts, blockTokens } = traceWorkload(requests, { load: 0.5, scale: 8 })(1)
  expect(blockTokens).toBe(64)
  expect(hosts.map(({ blocksKept }) => blocksKept)).toEqual([6_000, 6_000, 6_000])
  for (const [at, { input, blocks, commonBlocks }] of arrivals.entries()) {
    expect([input, blocks, commonBlocks]).toEqual([256, requests[at]!.blocks, 2])
  }
})
