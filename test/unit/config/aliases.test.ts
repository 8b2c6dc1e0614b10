import { describe, expect, test } from 'vitest'
import { type Given, load, problems } from './loading.ts'

describe('an alias that names an alias is refused', () => {
  const direct = 'an alias must name a model, and "fast" is an alias; write "org/small"'
  const other = (name: string) =>
    `an alias must name a model, and "${name}" is an alias; write the name of a model as a host lists it`
  test.each<[string, string, string]>([
    ['for one model', 'fast: org/small, best: fast', `F:2:43 models.aliases.best: ${direct}`],
    ['per host', 'fast: org/small, best: { a: fast }', `F:2:48 models.aliases.best.a: ${direct}`],
    ['in a list', 'fast: org/small, best: [m, fast]', `F:2:47 models.aliases.best[1]: ${direct}`],
    ['itself', 'fast: fast', `F:2:26 models.aliases.fast: ${other('fast')}`],
    ['one of another form', 'fast: [m], best: fast', `F:2:37 models.aliases.best: ${other('fast')}`],
  ])('%s', async (_name, aliases, problem) => {
    const yaml = `hosts: [{ name: a, url: "http://a:1" }]\nmodels: {aliases: {${aliases}}}\n`
    expect(await problems({ yaml })).toEqual([problem])
  })

  test.each(['qwen: [qwen, llama]', 'qwen: { a: qwen-4bit, b: qwen }'])(
    'its own name is a model: %s',
    async (aliases) => {
      const hosts = 'hosts: [{ name: a, url: "http://a:1" }, { name: b, url: "http://b:1" }]'
      expect(await problems({ yaml: `${hosts}\nmodels: { aliases: { ${aliases} } }\n` })).toEqual([])
    },
  )

  test('two of a circle', async () => {
    const found = await problems({ yaml: 'models: { aliases: { x: y, y: x } }\n' })
    expect(found.map((line) => line.split(': ')[0])).toEqual(['F:1:25 models.aliases.x', 'F:1:31 models.aliases.y'])
  })
})

describe('per-host aliases and hosts that are named for one start', () => {
  test.each<[string, Given, string]>([
    ['a flag', { flags: { 'host-url': 'http://b:1' } }, '--host-url'],
    ['the environment', { environment: { LMX_GATEWAY_HOST_URLS: 'http://b:1' } }, 'LMX_GATEWAY_HOST_URLS'],
  ])(
    'hosts from %s: what aliases say about hosts of the file does not count, and a note says so',
    async (_, given, by) => {
      const yaml = [
        'hosts: [{ name: studio, url: "http://a:1" }, { name: mini, url: "http://a:2" }]',
        'models:',
        '  aliases:',
        '    fast: { studio: m, "b:1": n }',
        '    large: { studio: o, mini: p }',
        '    any: q',
      ].join('\n')
      const loaded = await load({ ...given, yaml })
      expect(loaded).toMatchObject({
        kind: 'good',
        config: { models: { aliases: { fast: { 'b:1': 'n' }, any: 'q' } } },
        notes: [
          `${by} takes the place of the hosts in ${loaded.file}, so these entries of models.aliases do not count: fast.studio, large.studio, large.mini`,
        ],
      })
      expect(loaded.kind === 'good' && Object.keys(loaded.config.models.aliases)).toEqual(['fast', 'any'])
    },
  )

  test('without such entries there is no note', async () => {
    const yaml = 'hosts: [{ name: a, url: "http://a:1" }]\nmodels: { aliases: { x: m, y: { a: m } } }\n'
    expect(await load({ yaml })).toMatchObject({ kind: 'good', notes: [] })
    expect(await load({ flags: { 'host-url': 'http://b:1' } })).toMatchObject({ kind: 'good', notes: [] })
  })
})
