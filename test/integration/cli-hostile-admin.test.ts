/** What answers at --admin-url need not be a gateway: whatever it says, it neither steers the terminal nor holds the command. */
import { createServer, type IncomingMessage } from 'node:http'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { newKey } from '../../src/access/api-key.ts'
import { endedRequest } from '../../src/http/admin/ended-request.ts'
import { shownDecision } from '../../src/http/admin/shown-decision.ts'
import { cli } from '../kit/cli-run.ts'
import { decisionRecord, placeRecord } from '../kit/decision-records.ts'
import { outcome } from '../kit/scripted-sources.ts'
import { listen } from '../kit/servers.ts'
import { within } from '../kit/within.ts'

const steering = '\u001b]0;pwned\u0007\u001b[31m\u202e\u009bX\u{e0041}\u2028'
const isPlain = (text: string): boolean => !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text.replaceAll('\n', ''))

const view = (id: string, name = 'x') => ({
  id,
  name,
  state: 'live',
  team: null,
  models: [name],
  class: 'default',
  weight: 1,
  maxOutputTokens: null,
  limits: {},
  tags: {},
  createdAt: '2026-11-26T12:06:55.540Z',
  expiresAt: null,
  revokedAt: null,
  endsStreams: false,
  secrets: [],
  revision: 1,
})
const figures = {
  requests: 1,
  failed: 0,
  unfinished: 0,
  input: 1,
  cachedInput: 0,
  output: 1,
  reasoning: 0,
  inputUnreported: 0,
  outputUnreported: 0,
  cost: 1,
}
const report = {
  from: null,
  to: null,
  timeZone: 'UTC',
  currency: steering,
  by: ['model'],
  rows: [{ model: steering, ...figures }],
  total: figures,
}

type Answer = (request: IncomingMessage) => unknown

/** Runs a command against it, with how often that asked. */
async function against(answer: Answer, args: readonly string[], status = 200) {
  let asked = 0
  const server = await listen(
    createServer((request, response) => {
      asked += 1
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer(request)))
    }),
  )
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
  try {
    return { ...(await cli([...args, '--admin-url', server.url])), asked: () => asked }
  } finally {
    await server.close()
  }
}

afterEach(() => void vi.unstubAllEnvs())

const noGateway = /^lmx-gateway: what answers there is no admin API of an LMX gateway of this version$/

describe('an answer for a new key', () => {
  const { id, key } = newKey()
  const typed = `${key.reveal().slice(0, -1)}${key.reveal().endsWith('0') ? '1' : '0'}`
  test.each([
    ['that steers the terminal', `${steering}$(id)`],
    ['with more behind the key', `${key.reveal()}\u001b[2J`],
    ['with a wrong letter in the key', typed],
    ['with the key of another id', newKey().key.reveal()],
  ])('%s is not shown', async (_what, said) => {
    for (const json of [[], ['--json']]) {
      for (const command of [
        ['keys', 'create', '--name', 'x'],
        ['keys', 'rotate', id],
      ]) {
        const { code, out, err } = await against(() => ({ ...view(id), key: said }), [...command, ...json])
        expect({ code, out }).toEqual({ code: 1, out: '' })
        expect(err).toMatch(noGateway)
      }
    }
  })
})

describe('a list of keys', () => {
  const idOf = (at: number) => `k${String(at).padStart(7, '0')}`

  test('of two hundred thousand on one page is a list', async () => {
    const keys = Array.from({ length: 200_000 }, (_, at) => view(idOf(at)))
    const { code, out } = await against(() => ({ keys, next: null }), ['keys', 'list'])
    expect(code).toBe(0)
    expect(out.split('\n')).toHaveLength(200_001)
  })

  test('that goes round in a circle ends', async () => {
    const keys = [view(idOf(1)), view(idOf(2))]
    const { code, err, asked } = await against(() => ({ keys, next: idOf(2) }), ['keys', 'list'])
    expect({ code, asked: asked() }).toEqual({ code: 1, asked: 2 })
    expect(err).toMatch(noGateway)
  })

  test('that never ends is given up after a thousand pages', async () => {
    let at = 0
    const answer: Answer = () => {
      at += 1
      return { keys: [view(idOf(at))], next: idOf(at) }
    }
    const { code, err, asked } = await against(answer, ['keys', 'list'])
    expect({ code, asked: asked() }).toEqual({ code: 1, asked: 1_000 })
    expect(err).toMatch(/^lmx-gateway: the gateway at .* tells of more keys than are listed here$/)
  })

  test('whose id is a path is not asked for', async () => {
    const asked: string[] = []
    const answer: Answer = ({ url = '' }) => {
      asked.push(url)
      return { keys: [view('../../elsewhere', 'a b')], next: null }
    }
    const { code, err } = await against(answer, ['keys', 'revoke', 'a b'])
    expect({ code, asked }).toEqual({ code: 1, asked: ['/admin/keys?name=a+b'] })
    expect(err).toMatch(noGateway)
  })
})

test('an answer without an end is read so far and no further', async () => {
  const piece = Buffer.alloc(1_048_576, 32)
  const left = Promise.withResolvers<void>()
  const server = await listen(
    createServer((_request, response) => {
      const more = (): void => {
        while (response.write(piece) && !response.destroyed);
      }
      response.on('drain', more).on('close', left.resolve)
      more()
    }),
  )
  vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
  const { code, err } = await cli(['keys', 'list', '--admin-url', server.url])
  expect(code).toBe(1)
  expect(err).toMatch(/^lmx-gateway: the gateway at .* answers more than is read here$/)
  await within(20_000, 'the end of the connection', left.promise)
  await server.close()
})

describe('usage', () => {
  test.each<[string, object]>([
    ['of a time zone that there is not', { timeZone: 'Mars/Olympus' }],
    ['of a time zone that steers the terminal', { timeZone: steering }],
    ['of a time that is none', { from: 'yesterday' }],
    ['with a figure that is text', { rows: [{ ...figures, model: 'm', failed: steering }] }],
    ['with a total that lacks one', { total: { requests: 1 } }],
    ['by a column that there is not', { by: ['__proto__'] }],
    ['of a row that is none', { rows: [null] }],
  ])('%s is one sentence', async (_what, change) => {
    for (const format of ['table', 'csv', 'json']) {
      const { code, out, err } = await against(() => ({ ...report, ...change }), ['usage', '--format', format])
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(noGateway)
    }
  })
})

const speeds = {
  windowSeconds: 60,
  outputTokensPerSecond: 1,
  streamTokensPerSecond: null,
  busyTokensPerSecond: null,
  batchSize: null,
  prefillTokensPerSecond: null,
  ttftP50Ms: null,
  ttftP95Ms: null,
}
const tokens = { input: 1, cachedInput: 0, output: 1, reasoning: 0, discarded: 0 }
const counts = { [steering]: 1 }
const recent = { lastMinute: speeds, last5Minutes: speeds }
const streams = { prefill: 0, decode: 0, whole: 0 }
const host = {
  name: steering,
  kind: steering,
  url: steering,
  source: 'operator',
  up: false,
  problem: steering,
  paused: false,
  pausedFor: null,
  memory: null,
  draining: true,
  tier: 1,
  weight: 1,
  ejected: false,
  slots: 1,
  limit: 1,
  inFlight: 0,
  zombieSlots: 0,
  telemetry: null,
  streams,
  models: [steering],
  errors: counts,
  tokens,
  speeds: recent,
}
const modelPage = {
  model: steering,
  isAlias: false,
  places: [{ host: steering, model: steering, able: true, contextTokens: null }],
  waiting: [],
  requests: { total: 1, byStatus: counts, byEnd: counts },
  objectives: null,
  tokens,
  speeds: recent,
}
const stats = {
  version: steering,
  node: steering,
  startedAt: '2026-11-26T12:06:55.540Z',
  uptimeSeconds: 1,
  metrics: true,
  hosts: { total: 1, up: 0 },
  requests: { total: 1, byStatus: counts, byEnd: counts },
  tokens,
  speeds: recent,
  objectives: null,
  streams: { ...streams, open: 0 },
  clientConnections: 0,
  line: {
    paused: false,
    waiting: 0,
    tokens: 0,
    oldestMs: 0,
    bytes: 0,
    fairnessGap: 0,
    rejections: counts,
    givenBack: 0,
  },
  limits: counts,
  failovers: counts,
  overhead: null,
  process: { eventLoopLagMs: 0, rssBytes: 1, heapUsedBytes: 1, overload: 'none' },
  losses: { logLines: 0, usageRows: 0, storeErrors: 0, seriesFolded: 0 },
  pendingUsageRows: 0,
  keys: [{ key: steering, requests: 1, input: 1, cachedInput: 0, output: 1, cost: 3, waiting: 0, running: 0 }],
}
const ended = endedRequest(
  outcome({ id: steering, key: steering, model: null, askedModel: steering, host: steering, requestId: steering }),
)
const decision = {
  ...shownDecision(
    decisionRecord({
      request: steering,
      requestId: steering,
      key: steering,
      model: steering,
      places: [placeRecord({ host: steering, model: steering })],
      hold: { waitMsMax: 1, ended: null },
      came: { firstTokenMs: 1, cachedTokens: 1, inputTokens: 1, outputTokens: 1, tookMs: 1, failure: steering },
    }),
  ),
  policy: steering,
  reason: steering,
}
const listed = { requests: [], matching: 0, ended: [ended] }

describe('a page', () => {
  test.each<[string, object, readonly string[]]>([
    ['of hosts with a speed that is text', { hosts: [{ ...host, inFlight: steering }] }, ['hosts', 'list']],
    [
      'of requests that ended beyond all dates',
      { ...listed, ended: [{ ...ended, durationMs: 1e300 }] },
      ['requests', 'list', '--ended'],
    ],
    ['of hosts with a field too many', { hosts: [{ ...host, more: 1 }] }, ['hosts', 'list']],
    ['of models without places', { models: [{ ...modelPage, places: null }] }, ['models', 'list']],
    ['of the gateway that began at no time', { ...stats, startedAt: 'yesterday' }, ['stats']],
    ['of the gateway without speeds', { ...stats, speeds: {} }, ['stats']],
    [
      'of requests that ended at no time',
      { ...listed, ended: [{ ...ended, acceptedAt: '' }] },
      ['requests', 'list', '--ended', '1'],
    ],
    ['of a request that is none', { live: null }, ['requests', 'show', 'x']],
  ])('%s is one sentence', async (_what, answer, args) => {
    for (const json of [[], ['--json']]) {
      const { code, out, err } = await against(() => answer, [...args, ...json])
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toMatch(noGateway)
    }
  })

  test('of a request that neither runs nor has ended is an empty list', async () => {
    const { code, out } = await against(() => ({ live: null, ended: null, decisions: [] }), ['requests', 'show', 'x'])
    expect({ code, out }).toEqual({ code: 0, out: 'No such request waits or runs.' })
  })
})

describe('words that steer a terminal do not get there', () => {
  test.each<[string, Answer, readonly string[]]>([
    ['a list of keys', () => ({ keys: [view('aaaaaaaa', steering)], next: null }), ['keys', 'list']],
    ['a key', () => view('aaaaaaaa', steering), ['keys', 'show', 'aaaaaaaa']],
    ['a key that was changed', () => view('aaaaaaaa', steering), ['keys', 'change', 'aaaaaaaa', '--rpm', '1']],
    ['a key that was revoked', () => view('aaaaaaaa', steering), ['keys', 'revoke', 'aaaaaaaa']],
    ['usage', () => report, ['usage']],
    ['hosts', () => ({ hosts: [host] }), ['hosts', 'list']],
    ['models', () => ({ models: [modelPage] }), ['models', 'list']],
    ['the gateway', () => stats, ['stats']],
    ['requests that ended', () => listed, ['requests', 'list', '--ended', '1']],
    ['a request that ended', () => ({ live: null, ended, decisions: [] }), ['requests', 'show', 'x']],
    ['why it went where it did', () => ({ live: null, ended, decisions: [decision] }), ['why', 'x']],
  ])('%s', async (_what, answer, args) => {
    const people = await against(answer, args)
    expect(people.code).toBe(0)
    expect(isPlain(people.out + people.err)).toBe(true)
    const programs = await against(answer, [...args, '--json'])
    expect(isPlain(programs.out + programs.err)).toBe(true)
    // Nothing is lost of them there.
    expect(JSON.stringify(JSON.parse(programs.out))).toContain(JSON.stringify(steering))
  })

  test('usage as CSV', async () => {
    const { code, out } = await against(() => report, ['usage', '--format', 'csv'])
    expect(code).toBe(0)
    expect(out).toMatch(/\r$/)
    expect(isPlain(out.replaceAll(/\r(?=\n|$)/g, ''))).toBe(true)
  })

  test('an error', async () => {
    const error = { message: `${steering}${'x'.repeat(1_000_000)}`, param: steering, code: '__proto__', type: 'x' }
    const { code, out, err } = await against(() => ({ error }), ['keys', 'list'], 500)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(isPlain(err)).toBe(true)
    expect(err.length).toBeLessThan(3_000)
  })
})
