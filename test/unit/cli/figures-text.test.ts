import { expect, test } from 'vitest'
import { hostsText, modelsText, statsText } from '../../../src/cli/figures-text.ts'
import type { HostsPage, ModelsPage } from '../../../src/http/admin/fleet-schema.ts'
import type { StatsPage } from '../../../src/http/admin/stats-schema.ts'

const lastMinute = {
  windowSeconds: 62,
  outputTokensPerSecond: 93.456,
  streamTokensPerSecond: 48.55,
  busyTokensPerSecond: 95,
  batchSize: 1.96,
  prefillTokensPerSecond: null,
  ttftP50Ms: 388.89,
  ttftP95Ms: 4_000,
}
const speeds = { lastMinute, last5Minutes: { ...lastMinute, windowSeconds: 302 } }
const tokens = { input: 1_500, cachedInput: 500, output: 2_000, reasoning: 0, discarded: 0 }
const streams = { prefill: 0, decode: 2, whole: 0 }
const host: HostsPage['hosts'][number] = {
  name: 'studio',
  kind: 'lmx',
  url: 'http://127.0.0.1:9/',
  up: true,
  problem: null,
  source: 'configuration',
  paused: false,
  pausedFor: null,
  tier: 1,
  weight: 1,
  draining: false,
  ejected: false,
  slots: 4,
  limit: 3,
  inFlight: 2,
  zombieSlots: 0,
  telemetry: null,
  memory: null,
  streams,
  models: ['qwen'],
  errors: { upstream_timeout: 2, upstream_busy: 1_000 },
  tokens,
  speeds,
}
const model: ModelsPage['models'][number] = {
  model: 'qwen',
  isAlias: false,
  places: [
    { host: 'studio', model: 'qwen', able: true, contextTokens: 32_768 },
    { host: 'mini', model: 'qwen', able: false, contextTokens: null },
  ],
  waiting: [
    { class: 'interactive', waiting: 2, tokens: 100, oldestMs: 5 },
    { class: 'bulk', waiting: 3, tokens: 100, oldestMs: 5 },
  ],
  requests: { total: 40, byStatus: { 200: 40 }, byEnd: { '--': 40 } },
  objectives: {
    availability: { met: 40, missed: 0 },
    ttft: { met: 30, missed: 10 },
    tpot: { met: 0, missed: 0 },
    goodput: { met: 30, missed: 10 },
  },
  tokens,
  speeds,
}

test('hosts: what each does, how fast it is, and what is wrong with those that take no work', () => {
  const down = { ...host, name: 'mini', kind: null, up: false, problem: 'connection refused', errors: null }
  const hosts = [host, down, { ...host, name: 'out', ejected: true }, { ...host, name: 'off', up: false, paused: true }]
  expect(hostsText({ hosts }).split('\n')).toEqual([
    'host    kind  state    tier  weight  running  slots  tok/s  stream tok/s  batch  prefill tok/s  ttft p50    p95  errors',
    'studio  lmx   up          1       1        2      3   93.5          48.5    2.0              -     0.4 s  4.0 s   1,002',
    'mini    -     down        1       1        2      3   93.5          48.5    2.0              -     0.4 s  4.0 s       -',
    'out     lmx   ejected     1       1        2      3   93.5          48.5    2.0              -     0.4 s  4.0 s   1,002',
    'off     lmx   paused      1       1        2      3   93.5          48.5    2.0              -     0.4 s  4.0 s   1,002',
    '',
    'what is wrong',
    'mini: connection refused',
  ])
})

test('models: how many of their hosts can take them, who waits, and how many requests met the objectives', () => {
  const off = { ...model, model: 'gemma', requests: null, objectives: null, waiting: [] }
  expect(modelsText({ models: [model, off] }).split('\n')).toEqual([
    'model  hosts  waiting  tok/s  stream tok/s  batch  prefill tok/s  ttft p50    p95  requests  goodput',
    'qwen     1/2        5   93.5          48.5    2.0              -     0.4 s  4.0 s        40     75 %',
    'gemma    1/2        0   93.5          48.5    2.0              -     0.4 s  4.0 s         -        -',
  ])
  expect(modelsText({ models: [] })).toBe('No host lists a model.')
})

const stats: StatsPage = {
  version: '1.2.3',
  node: '26.0.0',
  startedAt: '2026-11-26T12:00:00.000Z',
  uptimeSeconds: 3_600.5,
  metrics: true,
  hosts: { total: 2, up: 1 },
  requests: { total: 1_234, byStatus: { 200: 1_230, 499: 4 }, byEnd: { '--': 1_234 } },
  tokens,
  speeds,
  objectives: model.objectives,
  streams: { ...streams, open: 2 },
  clientConnections: 3,
  line: { paused: true, waiting: 5, tokens: 0, oldestMs: 0, bytes: 0, fairnessGap: 0, rejections: {}, givenBack: 0 },
  limits: { allow: 1_200, reject: 34 },
  failovers: {},
  overhead: {},
  process: { eventLoopLagMs: 0.24, rssBytes: 104_857_600, heapUsedBytes: 1, overload: 'none' },
  losses: { logLines: 0, usageRows: 0, storeErrors: 0, seriesFolded: 0 },
  pendingUsageRows: 0,
  keys: [
    {
      key: 'alice',
      requests: 1_234,
      input: 1_500,
      cachedInput: 500,
      output: 2_000,
      cost: 5_000,
      waiting: 5,
      running: 2,
    },
  ],
}

test('the gateway: what it has done, what it does, and for whom', () => {
  expect(statsText(stats).split('\n')).toEqual([
    'LMX gateway 1.2.3, up since 2026-11-26T12:00:00.000Z (3600.5 s)',
    '1 of 2 hosts up, 2 open streams, 5 waiting; the line is paused',
    'tokens: 1,500 in (500 cached), 2,000 out',
    'requests: 1,234 (200: 1,230, 499: 4)',
    'limits: allow: 1,200, reject: 34',
    'failovers: none',
    'memory 100 MiB, event loop 0.2 ms late, not short of anything',
    '',
    '              tok/s  stream tok/s  batch  prefill tok/s  ttft p50    p95',
    'last 62.0 s    93.5          48.5    2.0              -     0.4 s  4.0 s',
    'last 302.0 s   93.5          48.5    2.0              -     0.4 s  4.0 s',
    '',
    'objective     met  missed  share',
    'availability   40       0  100 %',
    'ttft           30      10   75 %',
    'tpot            0       0      -',
    'goodput        30      10   75 %',
    '',
    'key    requests     in    out  waiting  running',
    'alice     1,234  1,500  2,000        5        2',
  ])
})

test('where metrics are off, what only they count is left out', () => {
  const off = { metrics: false, requests: null, objectives: null, limits: null, failovers: null, overhead: null }
  const text = statsText({ ...stats, ...off, keys: [] })
  expect(text).not.toMatch(/requests:|objective|limits|failovers/)
  expect(text).toMatch(/^last 62\.0 s/m)
})

test('of a young gateway, whose minutes are all one window, that is told once', () => {
  const young = { ...lastMinute, windowSeconds: 33.8 }
  const text = statsText({ ...stats, speeds: { lastMinute: young, last5Minutes: young } })
  expect(text.match(/^last .*/gm)).toEqual([expect.stringMatching(/^last 33\.8 s /)])
})
