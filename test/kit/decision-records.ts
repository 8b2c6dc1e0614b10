/** Choices of a host as they are kept, for tests of what is told of them. */
import type { DecisionRecord, PlaceRecord } from '../../src/balancing/events.ts'

export function placeRecord(differing: Partial<PlaceRecord> = {}): PlaceRecord {
  return {
    host: 'studio',
    model: 'qwen-4bit',
    isFree: true,
    slotWaitMs: 0,
    loadMs: 0,
    prefillMs: 200,
    firstTokenMs: 200,
    cachedTokens: 5,
    isHome: false,
    running: 1,
    inputAhead: 0,
    outputAhead: 300,
    prefillTokensPerSecond: 1_500,
    decodeTokensPerSecond: 60,
    samples: 12,
    score: 900,
    leftOut: null,
    ...differing,
  }
}

/** Of the stream that `outcome` has; it had a slot at once. */
export function decisionRecord(differing: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    atMs: Date.parse('2026-11-26T12:00:00.014Z'),
    request: 'id-1',
    requestId: 'req-1',
    key: 'alice',
    model: 'qwen',
    class: 'default',
    policy: 'fastest',
    reason: 'least_busy',
    inputTokens: 20,
    outputTokens: 400,
    waitedMs: 12,
    places: [
      placeRecord(),
      placeRecord({ host: 'mini', prefillMs: 500, firstTokenMs: 500, cachedTokens: 0, score: 1_400 }),
    ],
    hold: null,
    came: null,
    ...differing,
  }
}
