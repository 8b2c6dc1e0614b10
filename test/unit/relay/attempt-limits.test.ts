import { describe, expect, test } from 'vitest'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { attemptLimits } from '../../../src/relay/attempt-limits.ts'
import { type RelayOptions, relayOptions } from '../../../src/relay/options.ts'
import type { RequestBody } from '../../../src/wire/request-body.ts'
import { knownHost } from '../../kit/known-hosts.ts'

interface Case {
  options?: Partial<RelayOptions>
  bodyBytes?: number
  hasTools?: boolean
  showsContent?: boolean
  /** The host has the model, but not in memory. */
  mustLoad?: boolean
}

function limitsOf({ options = {}, bodyBytes = 0, hasTools = false, showsContent = true, mustLoad = false }: Case) {
  const host = knownHost('a', { kind: hostKind('ollama') })
  host.probeSucceeded({
    models: [{ id: 'm', created: null, ownedBy: null, resident: !mustLoad }],
  })
  const lease = { host, model: 'm' } as unknown as Lease
  const body = { bytes: Buffer.alloc(bodyBytes), hasTools } as unknown as RequestBody
  const clocks = { ...relayOptions.parse({}), ...options }
  return attemptLimits(body, { lease, clocks, showsContent, streamed: showsContent })
}

describe('until the first content', () => {
  test.each<[string, Case, number]>([
    ['an empty prompt gets the configured time', {}, 60_000],
    // 4 bytes are a token, 150 tokens a second.
    ['a prompt adds its prefill', { bodyBytes: 60_000 }, 160_000],
    ['a faster host is given less', { bodyBytes: 60_000, options: { prefillTokensPerSecond: 1_500 } }, 70_000],
    ['a prompt just below the cap', { bodyBytes: 323_400 }, 599_000],
    ['a prompt at the cap', { bodyBytes: 324_000 }, 600_000],
    ['a prompt beyond the cap', { bodyBytes: 10_000_000 }, 600_000],
    ['a configured time above the cap stays', { options: { firstContentMsMax: 900_000 } }, 900_000],
    ['and no prompt adds to it', { options: { firstContentMsMax: 900_000 }, bodyBytes: 10_000_000 }, 900_000],
    ['a model that must be loaded gets the time for it', { mustLoad: true }, 360_000],
    ['on top of the cap', { mustLoad: true, bodyBytes: 10_000_000 }, 900_000],
    ['unless that time is none', { mustLoad: true, options: { loadMsMax: 0 } }, 60_000],
    ['a model in memory gets none', { options: { loadMsMax: 1_000_000 } }, 60_000],
  ])('%s', (_what, settings, wanted) => {
    expect(limitsOf(settings).firstContentMsMax).toBe(wanted)
  })

  test('an answer that shows none has no such limit, whatever its prompt and its model', () => {
    for (const mustLoad of [false, true]) {
      expect(limitsOf({ showsContent: false, mustLoad, bodyBytes: 60_000 }).firstContentMsMax).toBeNull()
    }
  })
})

describe('the others', () => {
  test('tools make the gap between contents longer', () => {
    expect(limitsOf({ hasTools: false }).contentGapMsMax).toBe(60_000)
    expect(limitsOf({ hasTools: true }).contentGapMsMax).toBe(180_000)
    const options = { contentGapMsMax: 1, contentGapWithToolsMsMax: 2 }
    expect(limitsOf({ options }).contentGapMsMax).toBe(1)
    expect(limitsOf({ options, hasTools: true }).contentGapMsMax).toBe(2)
  })

  test('the whole depends on the form of the answer', () => {
    expect(limitsOf({ showsContent: true }).totalMsMax).toBe(1_800_000)
    expect(limitsOf({ showsContent: false }).totalMsMax).toBe(600_000)
    const options = { streamMsMax: 1, answerMsMax: 2 }
    expect(limitsOf({ options }).totalMsMax).toBe(1)
    expect(limitsOf({ options, showsContent: false }).totalMsMax).toBe(2)
  })

  test('connecting and sending take what is configured, whatever is asked', () => {
    const options = { connectMsMax: 123, sendMsMax: 456 }
    for (const settings of [{}, { bodyBytes: 1_000_000, hasTools: true, showsContent: false, mustLoad: true }]) {
      expect(limitsOf({ ...settings, options })).toMatchObject({ connectMsMax: 123, sendMsMax: 456 })
    }
  })
})
