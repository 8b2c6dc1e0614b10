/** What is said of clocks that would have no effect, or another than was meant, for each place where they stand. */
import { describe, expect, test } from 'vitest'
import { good, problems } from './loading.ts'

describe.each([
  ['relay', 'relay', (clocks: string) => `relay: ${clocks}\n`],
  ['a host', 'hosts[0].clocks', (clocks: string) => `hosts: [{ url: "http://a:1", clocks: ${clocks} }]\n`],
  ['a model', 'models.clocks.org/m', (clocks: string) => `models: { clocks: { org/m: ${clocks} } }\n`],
])('clocks of %s', (_name, place, yaml) => {
  test.each([
    ['{ loadMsMx: 5 }', 'loadMsMx: unknown key; did you mean "loadMsMax"?'],
    ['{ loadMsMax: 60s }', 'loadMsMax: must be a number of milliseconds, not "60s"'],
    ['{ loadMsMax: 0.5 }', 'loadMsMax: must be a whole number of milliseconds, not 0.5'],
    ['{ loadMsMax: -1 }', 'loadMsMax: must be at least 0, not -1'],
    ['{ contentGapMsMax: true }', 'contentGapMsMax: must be a number of milliseconds, not true'],
    ['{ prefillTokensPerSecond: fast }', 'prefillTokensPerSecond: must be a number, not "fast"'],
    ['{ port: 1 }', 'port: unknown key here; did you mean server.port or admin.port?'],
  ])('%s', async (clocks, problem) => {
    const text = `# the second line\n${yaml(clocks)}`
    const [found, ...rest] = await problems({ yaml: text })
    expect(found?.replace(/^F:2:\d+ /, '')).toBe(`${place}.${problem}`)
    expect(rest).toEqual([])
  })
})

describe('clocks of a model by its alias', () => {
  const yaml = (aliases: string, name: string) =>
    `models:\n  aliases: { ${aliases} }\n  clocks: { ${name}: { loadMsMax: 5 } }\nhosts: [{ name: a, url: "http://a:1" }]\n`
  const told = 'is an alias; write the name that the model has at its host'

  test.each([
    ['fast: org/m', `"fast" ${told}: "org/m"`],
    ['fast: { a: m }', `"fast" ${told}: "m"`],
    ['fast: [m, n, m]', `"fast" ${told}: "m" or "n"`],
  ])('%s', async (aliases, problem) => {
    expect(await problems({ yaml: yaml(aliases, 'fast') })).toEqual([`F:3:13 models.clocks.fast: ${problem}`])
  })

  test('a name that is a model’s as well is one', async () => {
    const { models } = await good({ yaml: yaml('fast: [fast, m]', 'fast') })
    expect(models.clocks).toEqual({ fast: { loadMsMax: 5 } })
    await good({ yaml: yaml('fast: org/m', 'org/m') })
  })
})

describe('the two steps of a full heap', () => {
  test.each([
    [
      '{ tightHeapPercent: 91 }',
      'F:1:31 overload.tightHeapPercent: must be at most 90, which is overload.shedHeapPercent, not 91',
    ],
    [
      '{ shedHeapPercent: 84 }',
      'F:1:30 overload.shedHeapPercent: must be at least 85, which is overload.tightHeapPercent, not 84',
    ],
    [
      '{ shedHeapPercent: 70, tightHeapPercent: 80 }',
      'F:1:52 overload.tightHeapPercent: must be at most 70, which is overload.shedHeapPercent, not 80',
    ],
  ])('%s', async (overload, problem) => {
    expect(await problems({ yaml: `overload: ${overload}\n` })).toEqual([problem])
  })

  test.each(['{ tightHeapPercent: 90 }', '{ shedHeapPercent: 99, tightHeapPercent: 95 }', '{ tightHeapPercent: }'])(
    '%s is good',
    async (overload) => {
      expect(await problems({ yaml: `overload: ${overload}\n` })).toEqual([])
    },
  )

  test('what is no number is told of as such alone', async () => {
    expect(await problems({ yaml: 'overload: { tightHeapPercent: much }\n' })).toEqual([
      'F:1:31 overload.tightHeapPercent: must be a number, not "much"',
    ])
  })
})
