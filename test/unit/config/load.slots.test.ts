/** A number of slots, or bounds for it: what is taken, and what is said of what is not. */
import { describe, expect, test } from 'vitest'
import { good, problems } from './loading.ts'

const yaml = (slots: string): string => `# the second line\nhosts: [{ url: "http://a:1", slots: ${slots} }]\n`

describe('taken', () => {
  test.each([
    ['4', 4],
    ['{ min: 2, max: 8 }', { min: 2, max: 8 }],
    ['{ min: 3, max: 3 }', { min: 3, max: 3 }],
    ['{ max: 8 }', { max: 8 }],
    ['{}', {}],
  ])('%s', async (slots, expected) => {
    const { hosts } = await good({ yaml: yaml(slots) })
    expect(hosts[0]?.slots).toEqual(expected)
  })
})

describe('refused', () => {
  test.each([
    ['0', 'slots: must be at least 1, not 0'],
    ['1025', 'slots: must be at most 1024, not 1025'],
    ['many', 'slots: must be a number or a mapping of "key: value" lines'],
    ['{ min: 0 }', 'slots.min: must be at least 1, not 0'],
    ['{ max: 2.5 }', 'slots.max: must be a whole number, not 2.5'],
    ['{ min: 3, max: 2 }', 'slots.min: must be at most max'],
    ['{ maxx: 2 }', 'slots.maxx: unknown key; did you mean "max"?'],
  ])('%s', async (slots, problem) => {
    const [found, ...rest] = await problems({ yaml: yaml(slots) })
    expect(found?.replace(/^F:2:\d+ /, '')).toBe(`hosts[0].${problem}`)
    expect(rest).toEqual([])
  })
})

test('what is wanted of the speed of hosts has defaults, each of which may be set alone', async () => {
  const { slo } = await good({ yaml: 'slo: { firstTokenMsMax: 4000 }\n' })
  expect(slo).toEqual({
    timePerOutputTokenMsMax: 100,
    firstTokenMsMax: 4_000,
    timeToFirstTokenMsMax: 10_000,
    models: {},
  })
})
