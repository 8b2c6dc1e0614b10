import { expect, it } from 'vitest'
import { z } from 'zod'
import { clockDefaults } from '../../../src/hosts/clock-options.ts'
import { clocksOf } from '../../../src/hosts/clocks.ts'
import { hostsOptions, modelsOptions } from '../../../src/hosts/options.ts'
import { relayOptions } from '../../../src/relay/options.ts'

const forAll = z.strictObject(clockDefaults).parse({})

it('those for all hold where nothing differs', () => {
  expect(clocksOf(forAll)).toEqual(forAll)
  expect(clocksOf(forAll, {}, undefined)).toEqual(forAll)
})

it('the host wins over those for all, the model over the host, clock by clock', () => {
  const host = { firstContentMsMax: 1, contentGapMsMax: 2 }
  const model = { contentGapMsMax: 3, answerMsMax: 4 }
  expect(clocksOf(forAll, host, model)).toEqual({
    ...forAll,
    firstContentMsMax: 1,
    contentGapMsMax: 3,
    answerMsMax: 4,
  })
})

it('zero is a value, absent is none', () => {
  expect(clocksOf(forAll, { loadMsMax: 0 }, { loadMsMax: undefined }).loadMsMax).toBe(0)
})

it('nobody else sees the override', () => {
  clocksOf(forAll, { loadMsMax: 1 })
  expect(forAll.loadMsMax).toBe(300_000)
})

it('each one can be set in all three places, is absent by default in two, and a wrong name is none', () => {
  const url = 'http://127.0.0.1:1'
  for (const name of Object.keys(clockDefaults)) {
    const clocks = { [name]: 7 }
    expect(relayOptions.parse(clocks)).toMatchObject(clocks)
    expect(hostsOptions.parse([{ url, clocks }])[0]?.clocks).toEqual(clocks)
    expect(modelsOptions.parse({ clocks: { m: clocks } }).clocks).toEqual({ m: clocks })
  }
  expect(hostsOptions.safeParse([{ url, clocks: { gapMs: 7 } }]).success).toBe(false)
  expect(hostsOptions.safeParse([{ url, clocks: { contentGapMsMax: 0 } }]).success).toBe(false)
  expect(modelsOptions.safeParse({ clocks: { m: { gapMs: 7 } } }).success).toBe(false)
})
