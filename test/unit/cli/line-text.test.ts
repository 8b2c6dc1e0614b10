import { expect, test } from 'vitest'
import { lineText } from '../../../src/cli/line-text.ts'
import type { LineView } from '../../../src/queue/line-view-schema.ts'

const line: LineView = {
  paused: false,
  order: 'token-fair',
  waiting: 1_200,
  tokens: 90_000,
  limitWaiting: 30,
  limitTokens: 500,
  bytes: 0,
  bounds: { lengthMax: 2_000, lengthMaxPerKey: 256, tokensMax: 4_000_000, tokensMaxPerKey: 1, bytesMax: 1_000 },
  hosts: [
    { name: 'studio', paused: true, up: true, running: 2, slots: 4 },
    { name: 'mini', paused: false, up: false, running: 0, slots: 12 },
  ],
  depths: [{ model: 'qwen', class: 'bulk', waiting: 1_200, tokens: 90_000, oldestMs: 61_250 }],
  keys: [
    {
      id: 'k',
      key: 'alice',
      class: 'interactive',
      weight: 0.5,
      waiting: 1_200,
      limitWaiting: 30,
      running: 2,
      counter: 1_000.4,
    },
  ],
  requests: [
    {
      id: 'r1',
      requestId: 'own',
      key: 'alice',
      class: 'bulk',
      model: 'qwen',
      endpoint: 'chat_completions',
      waitedMs: 61_250,
      tokens: 75,
      position: 3,
      aheadInKey: 0,
      keysWaiting: 2,
      p50Ms: 2_000,
      p90Ms: null,
      excludedHosts: [],
      heldFor: null,
      load: null,
    },
  ],
  estimates: { waits: 40, withinP90: 0.9, nearP50: 0.625 },
}

test('the line: its state, its hosts, what waits and for whom, and how much more there is', () => {
  expect(lineText(line).split('\n')).toEqual([
    'The line is open. 1,230 requests of 2,000 that may wait (30 for their own limits),',
    '90,500 of 4,000,000 tokens, 0 of 1,000 bytes. Of the last 40 waits 90 % were within their p90, 63 % near their p50.',
    '',
    'host    state   running  slots',
    'studio  paused        2      4',
    'mini    down          0     12',
    '',
    'model  class  waiting  tokens  oldest',
    'qwen   bulk     1,200  90,000  61.3 s',
    '',
    'key    class        weight  waiting  for limits  running  served more',
    'alice  interactive     0.5    1,200          30        2        1,000',
    '',
    'id  key    class  model  tokens  waited  ahead    p50  p90',
    'r1  alice  bulk   qwen       75  61.3 s      3  2.0 s    -',
    'and 1,199 more',
  ])
})

test('of a model that no host has in memory it says what is being loaded, once for all who wait for it', () => {
  const load = { host: 'studio', model: 'qwen-4bit', forMs: 12_000, expectedMs: 18_000, obstacle: null }
  const requests = ['r1', 'r2'].map((id) => ({ ...line.requests[0]!, id, load }))
  const lines = lineText({ ...line, requests }).split('\n')
  const words = 'No host has the model in memory: studio has been loading qwen-4bit for 12.0 s, some 18.0 s more.'
  expect(lines.slice(-2)).toEqual(['', words])
  expect(lines.filter((one) => one === words)).toHaveLength(1)
})

test('an empty line of which nothing is known says no more than that', () => {
  const empty = {
    waiting: 0,
    tokens: 0,
    limitWaiting: 0,
    limitTokens: 0,
    hosts: [],
    depths: [],
    keys: [],
    requests: [],
  }
  const estimates = { waits: 0, withinP90: null, nearP50: null }
  expect(lineText({ ...line, ...empty, paused: true, estimates }).split('\n')).toEqual([
    'The line is paused: nobody is given a slot. 0 requests of 2,000 that may wait,',
    '0 of 4,000,000 tokens, 0 of 1,000 bytes.',
  ])
})
