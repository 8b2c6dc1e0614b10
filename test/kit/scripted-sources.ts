/** A made-up gateway for tests of metrics: sources that a test edits, an outcome with everything in it, a strict reader of the text. */

import type { LimitRest } from '../../src/access/events.ts'
import type { LearnedSpeed } from '../../src/balancing/events.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Steps } from '../../src/base/steps.ts'
import type { HostState, ModelAtHost } from '../../src/hosts/events.ts'
import {
  type GapTotals,
  type GeneratingTotals,
  gapEdgesSeconds,
  type LedgerState,
  type PhaseTotals,
  type TokenTotals,
} from '../../src/metering/events.ts'
import { delayBuckets } from '../../src/observe/definitions/buckets.ts'
import type { FigureSources, ModelHosts, SharingSources } from '../../src/observe/figure-sources.ts'
import type { Metrics } from '../../src/observe/metrics.ts'
import type { FlowState, HeldSlots, QueueDepth } from '../../src/queue/events.ts'
import type { FirstToken } from '../../src/relay/events.ts'
import type { Outcome } from '../../src/relay/outcome.ts'
import { decisionRecord } from './decision-records.ts'
import { expositionText } from './exposition-text.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

export class ScriptedSources implements FigureSources {
  clock: FigureSources['clock'] = systemClock
  readonly version = '1.2.3'
  readonly tokenCosts = { input: 1, output: 2 }
  readonly models = new Set(['qwen'])
  readonly depths: QueueDepth[] = [{ model: 'qwen', class: 'default', waiting: 3, tokens: 900, oldestMs: 2_000 }]
  readonly flows: FlowState[] = [
    { key: 'alice', waiting: 2, running: 1 },
    { key: 'anonymous', waiting: 1, running: 0 },
  ]
  fairnessGap = 250
  bytes = 4_096
  dropped = 0
  streams = 2
  hostStates: Writable<HostState & HeldSlots>[] = [
    {
      name: 'studio',
      up: true,
      inFlight: 1,
      slots: 2,
      limit: 2,
      ejected: false,
      paused: false,
      zombieSlots: 0,
      models: 5,
      tier: 1,
      draining: false,
      telemetry: { ageMs: 2_000, memoryUsedRatio: 0.7, cacheUsedRatio: 0.4, queued: 3 },
    },
    {
      name: 'mini',
      up: false,
      inFlight: 0,
      slots: 1,
      limit: 1,
      ejected: false,
      paused: false,
      zombieSlots: 0,
      models: 0,
      tier: 1,
      draining: false,
      telemetry: null,
    },
  ]
  tokenTotals: Writable<TokenTotals>[] = [tokenTotals('qwen', 'studio', 'alice', { input: 20, output: 7 })]
  phaseTotals: Writable<PhaseTotals>[] = [
    {
      model: 'qwen',
      host: 'studio',
      prefillSeconds: 0.5,
      decodeSeconds: 2,
      wholeSeconds: 0,
      busySeconds: 1.5,
      running: { prefill: 1, decode: 2, whole: 0 },
    },
  ]
  generatingTotals: Writable<GeneratingTotals>[] = [{ host: 'studio', seconds: 1.25 }]
  gapTotals: GapTotals[] = [
    { model: 'qwen', host: 'studio', counts: [...gapEdgesSeconds.map(() => 2), 1], sumSeconds: 90, stalls: 3 },
  ]
  rests: LimitRest[] = [{ key: 'alice', limit: 'tokensPerMinute', share: 0.75 }]
  readonly objectives = { timeToFirstTokenMsMax: 10_000, timePerOutputTokenMsMax: 100, models: {} }

  queue = () => ({
    depths: this.depths,
    flows: this.flows,
    fairnessGap: this.fairnessGap,
    bytes: this.bytes,
    paused: false,
  })
  queueInSteps = () => inOneStep(() => this.queue())
  hosts = () => this.hostStates
  tokens = () => this.tokenTotals
  phases = () => this.phaseTotals.map((totals) => ({ ...totals }))
  generating = () => this.generatingTotals.map((totals) => ({ ...totals }))
  gaps = () => this.gapTotals
  limitRests = () => this.rests
  modelHosts = (): ModelHosts[] => [{ model: 'qwen', hosts: 1, resident: 1, loading: 1, listedBy: ['studio'] }]
  placesOfModels: ModelAtHost[] = [{ host: 'studio', model: 'qwen', residency: 'resident', contextTokensMax: 32_768 }]
  modelsAtHosts = () => this.placesOfModels
  learnedSpeeds: LearnedSpeed[] = [
    { host: 'studio', model: 'qwen', prefillTokensPerSecond: 1_500, decodeTokensPerSecond: 60, slowdown: 0.28 },
  ]
  speeds = () => this.learnedSpeeds
  eventLoopDelays = () => ({ counts: [...delayBuckets.map(() => 1), 0], sum: 9 })
  clientConnections = () => 4
  overloadStage = () => 0
  otlpDropped = () => ({ traces: 0, metrics: 0 })
  openStreams = () => this.streams
  configReload() {
    return { isSuccess: true, takenAtMs: 1_700_000_000_000 }
  }

  logDropped = () => this.dropped
  ledgerState: LedgerState = { pendingRows: 0, lostRows: 0, errors: 0, problem: null }
  ledger = () => this.ledgerState
  sharing: SharingSources | null = null
  knownModel = (name: string) => this.models.has(name)
}

/** Of one of two gateways. */
export function scriptedSharing(): SharingSources {
  return {
    replica: 'gw-1',
    isRedisUp: () => true,
    replicas: () => ({ count: 2, isShared: true, beatAgeMs: 150 }),
    limitChargesWaiting: () => 3,
    slots: () => [{ host: 'studio', elsewhere: 1, isClaimed: true }],
    handOver: () => ({ waitingRows: 4, lagMs: 500, handedRows: 20, takenInRows: 30, missedRows: 0 }),
    keysAgeMs: () => 250,
  }
}

function* inOneStep<Result>(make: () => Result): Steps<Result> {
  yield
  return make()
}

export function tokenTotals(
  model: string,
  host: string,
  key: string,
  counts: Partial<TokenTotals> = {},
): Writable<TokenTotals> {
  return {
    model,
    host,
    key,
    input: 0,
    cachedInput: 0,
    output: 0,
    reasoning: 0,
    decoded: 0,
    decodedSeconds: 0,
    prefilled: 0,
    prefilledSeconds: 0,
    discarded: 0,
    usageRejected: 0,
    badFrames: 0,
    ...counts,
  }
}

/** A stream that went well; a test names what differs. */
export function outcome(differing: Partial<Outcome> = {}): Outcome {
  return {
    id: 'id-1',
    requestId: 'req-1',
    endpoint: 'chat_completions',
    model: 'qwen',
    host: 'studio',
    key: 'alice',
    class: 'default',
    stream: true,
    status: 200,
    end: '--',
    askedModel: 'qwen',
    errorCode: null,
    attempts: 1,
    acceptedAtMs: Date.parse('2026-11-26T12:00:00Z'),
    spent: {
      readMs: 1,
      limitMs: 0.5,
      queueMs: 12.34,
      lostMs: 0,
      hostMs: 6.16,
      prefillMs: 230,
      contentMs: 1_990,
      lastMs: 10,
    },
    attemptsMade: [
      {
        host: 'studio',
        kind: 'lm-studio',
        model: 'qwen-4bit',
        reason: 'least_busy',
        decision: decisionRecord(),
        spanId: null,
        beganMs: 13.84,
        sentMs: 15,
        headMs: 20,
        endedMs: 2_250,
        failure: null,
      },
    ],
    trace: null,
    queueWaitMs: 12.34,
    toldWait: { p50Ms: 10, p90Ms: 40 },
    ttftMs: 250,
    upstreamTtftMs: 236.16,
    timePerOutputTokenMs: 20,
    timePerOutputTokenMsLeast: null,
    durationMs: 2_250,
    tokens: { input: 20, cachedInput: 4, output: 100, reasoning: 0 },
    usageSource: 'reported',
    sources: { input: 'reported', cachedInput: 'reported', output: 'reported' },
    ...differing,
  }
}

/** Of the same stream. */
export function firstToken(differing: Partial<FirstToken> = {}): FirstToken {
  const { id, trace, model, class: ofClass, spent } = outcome()
  const { contentMs: _content, lastMs: _last, ...parts } = spent
  return { id, trace, model, host: 'studio', class: ofClass, ttftMs: 250, parts, ...differing }
}

/** One of everything that can be told. */
export function tellEverything(metrics: Metrics): void {
  metrics.firstToken(firstToken())
  metrics.requestEnded(outcome())
  metrics.attemptFailed('studio', 'upstream_timeout')
  metrics.failedOver('qwen', 'connect', 'ok')
  metrics.waitEnded({ model: 'qwen', class: 'default' }, 'granted', 40)
  metrics.rejected('qwen', 'full')
  metrics.estimateTold({ model: 'qwen', p50Ms: 30, p90Ms: 90, waitMs: 40 })
  metrics.gaveBack('qwen')
  metrics.limitChanged('studio', 'up', 'room')
  metrics.worked('parse', 0.03)
  metrics.heldUp(250)
  metrics.limitDecided('alice', 'tokensPerMinute', 'queue')
  metrics.limitWaitEnded('default', 'admitted', 300)
  metrics.reservationSettled('qwen', 0.8)
  metrics.decided(decisionRecord())
  metrics.holdEnded({ model: 'qwen', host: 'studio' }, 'granted', 1_500)
  metrics.loadBegan('studio', 'qwen')
  metrics.loadEnded('studio', 'qwen', 'ok', 24_000)
  metrics.evicted('studio', 'qwen')
  metrics.redis.up(true, null)
  metrics.redis.called('beat', 'ok', 0.3)
  metrics.limitsAsked('shared')
  metrics.slotAsked('studio', 'granted')
  metrics.replicaGone('missed')
  metrics.epochChanged()
}

/** Series and their values; throws on a line that is none, a series named twice, and one that its TYPE line does not announce. */
export function readExposition(text: string): Map<string, number> {
  const values = new Map<string, number>()
  let family = ''
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line)
    if (type?.[1] !== undefined) family = type[1]
    if (line === '' || line.startsWith('# ')) continue
    const sample = /^([a-z_0-9]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\})? (\S+)$/.exec(line)
    if (sample?.[1] === undefined) throw new Error(`not a sample: ${line}`)
    if (!sample[1].startsWith(family)) throw new Error(`${sample[1]} stands under ${family}`)
    const series = sample[1] + (sample[2] ?? '')
    if (values.has(series)) throw new Error(`twice: ${series}`)
    values.set(series, Number(sample[3]))
  }
  return values
}

/** The series of our own prefix alone. */
export async function scrape(metrics: Metrics): Promise<Map<string, number>> {
  const body = expositionText(await metrics.render())
  return new Map([...readExposition(body)].filter(([series]) => series.startsWith('lmx_gateway_')))
}
