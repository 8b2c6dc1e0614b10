/** What is kept of a choice of a host: all that it was chosen by, none of the hosts. */
import { expect, it } from 'vitest'
import { decisionRecord } from '../../../src/balancing/decision-record.ts'
import { RecentDecisions } from '../../../src/balancing/recent-decisions.ts'
import * as kept from '../../kit/decision-records.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor, placeAt } from '../../kit/places.ts'

const of = { atMs: 1_000.4, request: 'id-1', requestId: 'req-1', key: 'alice', waitedMs: 12.6 }
const held = { policy: 'fastest', reason: 'prefix', waitMsMax: 10_000 } as const
const speed = { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 50, slowdown: 0.3, samples: 2.4 }

it('the one that was chosen stands first, with what it was chosen by in whole numbers', () => {
  const chosen = placeAt('studio', { speed, inputAhead: 500.4, uncachedTokens: 250, loadMs: 100.2, isHome: true })
  const other = placeAt('mini', { isFree: false, slotWaitMs: 900 })
  const record = decisionRecord(
    {
      policy: 'fastest',
      place: chosen,
      reason: 'prefix',
      considered: [
        { place: other, score: null, leftOut: null },
        { place: chosen, score: 1_234.5, leftOut: null },
      ],
      waitMsMax: 0,
    },
    askFor({ tokens: { input: 1_000, output: 300 } }),
    of,
  )
  expect(record).toMatchObject({ atMs: 1_000, waitedMs: 13, request: 'id-1', key: 'alice', inputTokens: 1_000 })
  expect(record.places).toEqual([
    {
      host: 'studio',
      model: 'm',
      isFree: true,
      slotWaitMs: 0,
      loadMs: 100,
      prefillMs: 250,
      firstTokenMs: 851,
      cachedTokens: 750,
      isHome: true,
      running: 0,
      inputAhead: 500,
      outputAhead: 0,
      prefillTokensPerSecond: 1_000,
      decodeTokensPerSecond: 50,
      samples: 3,
      score: 1_235,
      leftOut: null,
    },
    expect.objectContaining({
      host: 'mini',
      isFree: false,
      slotWaitMs: 900,
      firstTokenMs: 2_150,
      score: null,
      leftOut: null,
    }),
  ])
  expect(record.hold).toBeNull()
})

it('of a full host what is read there is not told as a wait once more: it is read while one waits for a slot', () => {
  const full = { isFree: false, slotWaitMs: 9_000, inputAhead: 8_000, uncachedTokens: 500, speed }
  const firstTokens = [placeAt('studio', full), placeAt('studio', { ...full, slotWaitMs: 2_000 })].map((place) => {
    const considered = [{ place, score: null, leftOut: null }]
    return decisionRecord({ ...held, place, considered }, askFor(), of).places[0].firstTokenMs
  })
  expect(firstTokens).toEqual([9_500, 8_500])
})

it('a host that is full is waited for', () => {
  const place = placeAt('studio', { isFree: false, slotWaitMs: 900 })
  const decision = {
    policy: 'fastest',
    place,
    reason: 'prefix',
    considered: [{ place, score: 1, leftOut: null }],
    waitMsMax: 2_000.5,
  } as const
  expect(decisionRecord(decision, askFor(), of).hold).toEqual({ waitMsMax: 2_001, ended: null })
})

it('one that was chosen is told of though it is not among those that were considered', () => {
  const [place, other] = [placeAt('studio'), placeAt('mini')]
  const decision = {
    policy: 'fastest',
    place,
    reason: 'fastest',
    considered: [{ place: other, score: 1, leftOut: null }],
    waitMsMax: 0,
  } as const
  expect(decisionRecord(decision, askFor(), of).places.map(({ host }) => host)).toEqual(['studio', 'mini'])
})

it('nothing of it leads to a host, a body or a function: it is what its JSON is', () => {
  const place = placeAt('studio', { host: knownHost('studio') })
  const decision = {
    policy: 'fastest',
    place,
    reason: 'only_host',
    considered: [{ place, score: null, leftOut: null }],
    waitMsMax: 0,
  } as const
  const record = decisionRecord(decision, askFor(), of)
  expect(JSON.parse(JSON.stringify(record))).toEqual(record)
})

it('the last are kept, the newest first, and none of them moves while they are gone through', () => {
  const recent = new RecentDecisions(3)
  const add = (request: string): void => recent.add(kept.decisionRecord({ request }))
  const named = () => Array.from(recent.newestFirst(), ({ request }) => request)
  for (const request of ['a', 'b', 'c', 'd', 'e']) add(request)
  expect(named()).toEqual(['e', 'd', 'c'])
  const seen: string[] = []
  for (const { request } of recent.newestFirst()) {
    seen.push(request)
    add('later')
  }
  expect(seen).toEqual(['e', 'd', 'c'])
  expect(named()).toEqual(['later', 'later', 'later'])
})
