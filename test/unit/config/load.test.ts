import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Environment } from '../../../src/config/interpolation.ts'
import { defaultFile, type LoadedConfig, loadConfig } from '../../../src/config/load.ts'
import { formatProblem } from '../../../src/config/problem.ts'

let folder: string
let empty: string
let count = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
  empty = await mkdtemp(join(tmpdir(), 'lmx-gateway-config-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await rm(empty, { recursive: true })
})

interface Given {
  yaml?: string
  environment?: Environment
  flags?: Record<string, string | string[]>
}

async function load({ yaml, environment = {}, flags = {} }: Given): Promise<LoadedConfig> {
  const values = new Map(Object.entries(flags).map(([name, value]) => [name, [value].flat()]))
  if (yaml !== undefined) {
    const file = join(folder, `${++count}.yaml`)
    await writeFile(file, yaml)
    values.set('config', [file])
  }
  return loadConfig({ flags: values, environment, folder: empty })
}

/** The problems as printed, with `F` for the path of the file. */
async function problems(given: Given): Promise<string[]> {
  const loaded = await load(given)
  return loaded.kind === 'good'
    ? []
    : loaded.problems.map((problem) => formatProblem(problem).replaceAll(loaded.file ?? '?', 'F'))
}

async function good(given: Given) {
  const loaded = await load(given)
  if (loaded.kind === 'bad') throw new Error(loaded.problems.map(formatProblem).join('\n'))
  return loaded.config
}

describe('one problem in a file is named with its line and column', () => {
  test.each<[string, string, RegExp, Environment?]>([
    ['unknown key', 'server:\n  prot: 1\n', /^F:2:3 server\.prot: unknown key; did you mean "port"\?$/],
    ['unknown key of the whole', 'serverr: {}\n', /^F:1:1 serverr: unknown key; did you mean "server"\?$/],
    ['unknown key in a list', 'hosts:\n  - url: http://a:1\n    slot: 2\n', /^F:3:5 hosts\[0\]\.slot: .*"slots"/],
    [
      'key at the wrong level',
      'drainMsMax: 5\n',
      /^F:1:1 drainMsMax: unknown key here; did you mean server\.drainMsMax\?$/,
    ],
    ['unknown key like nothing', 'server:\n  zzzzz: 1\n', /^F:2:3 server\.zzzzz: unknown key$/],
    ['text for a number', 'server:\n  port: http\n', /^F:2:9 server\.port: must be a number, not "http"$/],
    ['a fraction', 'relay:\n  connectMsMax: 1.5\n', /^F:2:17 relay\.connectMsMax: must be a whole number, not 1\.5$/],
    ['number for text', 'server: { bind: 5 }\n', /^F:1:17 server\.bind: must be text .*not 5$/],
    ['text for a switch', 'server:\n  allowAnonymous: maybe\n', /must be true or false, not "maybe"$/],
    ['list for a mapping', 'server: [1]\n', /^F:1:9 server: must be a mapping .*not a list$/],
    ['mapping for a list', 'hosts: { url: x }\n', /^F:1:8 hosts: must be a list, not a mapping$/],
    ['text for everything', 'hello\n', /^F:1:1: must be a mapping of "key: value" lines$/],
    ['empty list', 'hosts: []\n', /^F:1:8 hosts: must have at least one entry$/],
    ['empty entry', 'hosts:\n  -\n', /^F:\d:\d+ hosts\[0\]: must be a mapping .*not empty$/],
    ['missing key', 'hosts:\n  - name: a\n', /^F:2:5 hosts\[0\]\.url: is required$/],
    ['too small', 'queue: { lengthMax: 0 }\n', /^F:1:21 queue\.lengthMax: must be at least 1, not 0$/],
    ['negative limit', 'queue: { lengthMax: -1 }\n', /must be at least 1, not -1$/],
    ['too large', 'admin: { port: 70000 }\n', /^F:1:16 admin\.port: must be at most 65535, not 70000$/],
    [
      'not one of the words',
      'log: { level: verbose }\n',
      /^F:1:15 log\.level: must be debug, info, warn or error, not "verbose"$/,
    ],
    [
      'wrong form',
      'hosts: [{ url: "http://a:1", name: "a b" }]\n',
      /^F:1:36 hosts\[0\]\.name: must be 1 to 63 letters/,
    ],
    ['no URL', 'hosts: [{ url: studio }]\n', /^F:1:16 hosts\[0\]\.url: "studio" is not a URL/],
    ['another scheme', 'hosts: [{ url: "ftp://a" }]\n', /must begin with http:\/\/ or https:\/\//],
    ['URL with /v1', 'hosts: [{ url: "http://a:1/v1" }]\n', /must be given without \/v1/],
    [
      'alias of a wrong form',
      'models: { aliases: { fast: 5 } }\n',
      /^F:1:28 models\.aliases\.fast: must be text .*, a mapping .* or a list$/,
    ],
    ['alias without target', 'models:\n  aliases:\n    fast:\n', /^F:3:5 models\.aliases\.fast: must be text/],
    [
      'wrong target in an alias',
      'models: { aliases: { fast: [a, 5] } }\n',
      /^F:1:32 models\.aliases\.fast\[1\]: must be text .*not 5$/,
    ],
    ['key given twice', 'server:\n  port: 1\n  port: 2\n', /^F:3:3: the key "port" is given twice$/],
    ['two documents', 'log: {}\n---\nlog: {}\n', /^F:2:1: .*one YAML document/],
    ['tab', 'server:\n\tport: 1\n', /^F:2:1: not valid YAML: Tabs/],
    ['quote left open', 'log: { level: "info }\n', /^F:\d:\d+: not valid YAML/],
    ['tag', 'log: { level: !fast info }\n', /^F:1:15: a value that begins with ! must be in quotes$/],
    [
      'anchor that is not there',
      'log: { level: *info }\n',
      /^F:1:15 log\.level: a value that begins with \* must be in quotes$/,
    ],
    ['variable not set', 'server:\n  port: ${PORT}\n', /^F:2:9 server\.port: the environment variable PORT is not set/],
    ['bad reference', 'server:\n  bind: "${1}"\n', /^F:2:9 server\.bind: a variable is written/],
    [
      'variable without quotes in braces',
      'server: { port: ${PORT} }\n',
      /^F:1:\d+: .*must be in quotes: "\$\{NAME\}"$/,
      { PORT: '1' },
    ],
    [
      'wrong value from a variable',
      'server:\n  port: ${PORT}\n',
      /^F:2:9 server\.port: must be at most 65535$/,
      { PORT: '70000' },
    ],
    ['list key', '? [a]\n: b\n', /^F:1:1: a key must be a plain word$/],
    ['self-containing anchor', 'hosts: &h [*h]\n', /more than 20000 values, or nested deeper than 32/],
  ])('%s', async (_name, yaml, expected, environment) => {
    const found = await problems({ yaml, environment: environment ?? {} })
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })
})

test('every problem is named at once, those of flags first, then the file from top to bottom', async () => {
  const yaml = [
    'server: { bind: 0.0.0.0, prot: 1 }',
    'admin:',
    '  port: 70000',
    '  port: 70001',
    'hosts:',
    '  - { name: studio, url: "http://a:1", slots: 0 }',
    '  - { name: studio, url: "http://a:1/" }',
    'models: { aliases: { fast: { studoi: x } } }',
    'log: { level: "${LEVEL}" }',
  ].join('\n')
  const found = await problems({
    yaml,
    flags: { 'queue-length-max': '-2' },
    environment: { LMX_GATEWAY_LOG_FORMAT: 'xml' },
  })
  expect(found.map((line) => line.split(': ')[0])).toEqual([
    '--queue-length-max',
    'LMX_GATEWAY_LOG_FORMAT',
    'F:1:17 server.bind',
    'F:1:26 server.prot',
    'F:4:3',
    'F:4:9 admin.port',
    'F:6:47 hosts[0].slots',
    'F:7:13 hosts[1].name',
    'F:7:26 hosts[1].url',
    'F:8:30 models.aliases.fast.studoi',
    'F:9:15 log.level',
  ])
})

describe('no secret is printed', () => {
  const secret = 'hunter2hunter2'
  test.each<[string, string]>([
    ['a key that is a number', 'hosts: [{ url: "http://a:1", apiKey: 8675309 }]'],
    ['a token that is too short', 'admin: { metricsToken: 8675309 }'],
    ['a token of a wrong type', `admin: { metricsToken: [${secret}] }`],
    ['a key behind a wrong name', `hosts: [{ url: "http://a:1", apikey: ${secret} }]`],
    ['credentials in a URL', `hosts: [{ url: "http://user:${secret}@a:1" }]`],
    ['credentials in what is no URL', `hosts: [{ url: "user:${secret}@a:1" }]`],
    ['credentials where the URL cannot be read', `hosts: [{ url: "http://user:${secret}@a:99999" }]`],
    ['a key in the query of a URL', `hosts: [{ url: "http://a:1?key=${secret}" }]`],
    ['a quote left open', `hosts: [{ apiKey: "${secret} }]`],
    ['text behind a quoted key', `hosts:\n  - apiKey: "x" ${secret}\n`],
    ['a block header', `hosts:\n  - apiKey: |${secret}\n`],
    ['a key that looks like an anchor', `hosts: [{ url: "http://a:1", apiKey: *${secret} }]`],
    ['a key that looks like a tag', `hosts: [{ url: "http://a:1", apiKey: !${secret} }]`],
    ['a key with an escape', `hosts: [{ url: "http://a:1", apiKey: "\\q${secret}" }]`],
    ['a key at the wrong place', 'server: { port: "${SECRET}" }'],
    ['a file with a key and nothing else', secret],
  ])('%s', async (_name, yaml) => {
    const found = await problems({ yaml, environment: { SECRET: secret } })
    expect(found.length).toBeGreaterThan(0)
    expect(found.join('\n')).not.toMatch(/hunter2|8675309/)
  })

  test('from the environment', async () => {
    const found = await problems({ environment: { LMX_GATEWAY_METRICS_TOKEN: 'hunter2' } })
    expect(found).toEqual(['LMX_GATEWAY_METRICS_TOKEN: must have at least 16 characters'])
  })
})

describe('flags and variables are named in what is said about them', () => {
  test.each<[string, Given, RegExp]>([
    ['port below', { flags: { port: '-1' } }, /^--port: must be at least 0, not -1$/],
    ['port above', { flags: { port: '70000' } }, /^--port: must be at most 65535, not 70000$/],
    ['port in words', { flags: { port: 'http' } }, /^--port: must be a number, not "http"$/],
    ['port left empty', { flags: { port: '' } }, /^--port: must be a number, not ""$/],
    [
      'admin port',
      { environment: { LMX_GATEWAY_ADMIN_PORT: '1.5' } },
      /^LMX_GATEWAY_ADMIN_PORT: must be a whole number, not 1\.5$/,
    ],
    ['URL', { flags: { 'host-url': ['http://a:1', 'b'] } }, /^--host-url: "b" is not a URL/],
    ['URL with credentials', { flags: { 'host-url': 'http://u:p@a:1' } }, /^--host-url: .*must not carry credentials/],
    [
      'the same URL twice',
      { flags: { 'host-url': ['http://a:1', 'http://A:1/'] } },
      /^--host-url: this host is already listed/,
    ],
    [
      'URL in a list',
      { environment: { LMX_GATEWAY_HOST_URLS: 'http://a:1,b' } },
      /^LMX_GATEWAY_HOST_URLS: "b" is not a URL/,
    ],
    [
      'no URL in a list',
      { environment: { LMX_GATEWAY_HOST_URLS: ' , ' } },
      /^LMX_GATEWAY_HOST_URLS: must have at least one entry$/,
    ],
    [
      'switch',
      { environment: { LMX_GATEWAY_ALLOW_ANONYMOUS: 'perhaps' } },
      /^LMX_GATEWAY_ALLOW_ANONYMOUS: must be true or false/,
    ],
    ['file that is not there', { flags: { config: '/nowhere/x.yaml' } }, /^--config: there is no file F$/],
    [
      'file from a variable',
      { environment: { LMX_GATEWAY_CONFIG: '/nowhere/x.yaml' } },
      /^LMX_GATEWAY_CONFIG: there is no file F$/,
    ],
    ['folder', { flags: { config: tmpdir() } }, /^--config: F is a folder/],
    ['one port for both', { flags: { port: '4001' } }, /^admin\.port: 4001 is also the port for clients/],
  ])('%s', async (_name, given, expected) => {
    const found = await problems(given)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(expected)
  })
})

describe('addresses that others can reach', () => {
  const open = { flags: { bind: '0.0.0.0' } }
  test('the data listener needs --allow-anonymous, and the refusal says what that means', async () => {
    const [only, ...more] = await problems(open)
    expect(more).toEqual([])
    expect(only).toMatch(
      /^--bind: 0\.0\.0\.0 .*bind to 127\.0\.0\.1, or say --allow-anonymous .*everybody who reaches the port/,
    )
    expect(await problems({ flags: { ...open.flags, 'allow-anonymous': 'true' } })).toEqual([])
  })

  test('the admin listener needs a token', async () => {
    expect(await problems({ yaml: 'admin: { bind: "::" }\n' })).toEqual([
      expect.stringMatching(/^F:1:16 admin\.bind: .*metricsToken/),
    ])
    expect(await problems({ yaml: 'admin: { bind: "::", metricsToken: 0123456789abcdef }\n' })).toEqual([])
  })

  test('both rules hold beside other problems of the same section', async () => {
    const found = await problems({ flags: { bind: '0.0.0.0', port: 'x' } })
    expect(new Set(found.map((line) => line.split(':')[0]))).toEqual(new Set(['--bind', '--port']))
  })

  test('the same port on two addresses is fine, and so is a free one for both', async () => {
    expect(await problems({ flags: { port: '4001', bind: '127.0.0.2' } })).toEqual([])
    expect(await problems({ flags: { port: '0', 'admin-port': '0' } })).toEqual([])
  })
})

describe('what is given is what holds', () => {
  test('nothing at all: the defaults', async () => {
    const config = await good({})
    expect(config.server).toMatchObject({ bind: '127.0.0.1', port: 4000, allowAnonymous: false })
    expect(config.hosts).toMatchObject([{ name: '192.168.188.11:1234', url: 'http://192.168.188.11:1234' }])
  })

  test('flag over environment over file over default', async () => {
    const yaml = 'server: { port: 1 }\nadmin: { port: 2 }\nqueue: { lengthMax: 3 }\n'
    const environment = { LMX_GATEWAY_PORT: '11', LMX_GATEWAY_ADMIN_PORT: '12' }
    const config = await good({ yaml, environment, flags: { port: '21' } })
    expect([config.server.port, config.admin.port, config.queue.lengthMax]).toEqual([21, 12, 3])
    expect(config.log.level).toBe('info')
  })

  test('a flag that is repeated: the last', async () => {
    expect((await good({ flags: { port: ['1', '2'] } })).server.port).toBe(2)
  })

  test('--no-allow-anonymous over the file', async () => {
    const config = await good({ yaml: 'server: { allowAnonymous: true }\n', flags: { 'allow-anonymous': 'false' } })
    expect(config.server.allowAnonymous).toBe(false)
  })

  test('hosts from flags take the place of those in the file', async () => {
    const config = await good({
      yaml: 'hosts: [{ url: "http://a:1" }]\n',
      flags: { 'host-url': ['http://b:1', 'http://c:1'] },
    })
    expect(config.hosts.map((host) => host.name)).toEqual(['b:1', 'c:1'])
  })

  test('variables: in quotes text, without them what they look like', async () => {
    const yaml = [
      'server:',
      '  port: ${PORT}',
      '  allowAnonymous: ${OPEN:-true}',
      'hosts:',
      '  - url: "http://${HOST}:${PORT}"',
      '    apiKey: "${KEY}"',
      '  - url: http://b:1',
      '    apiKey: ${NO_KEY:-}',
    ].join('\n')
    const config = await good({ yaml, environment: { PORT: '8080', HOST: 'a', KEY: '12345' } })
    expect(config.server).toMatchObject({ port: 8080, allowAnonymous: true })
    expect(config.hosts[0]).toMatchObject({ url: 'http://a:8080', apiKey: '12345' })
    expect(config.hosts[1]).not.toHaveProperty('apiKey')
  })

  test('keys without a value mean their defaults', async () => {
    const config = await good({
      yaml: 'server:\n#  port: 1\nlog:\n  level:\nhosts:\n  - url: http://a:1\n    slots:\n',
    })
    expect(config.server.port).toBe(4000)
    expect(config.log.level).toBe('info')
    expect(config.hosts[0]?.slots).toBeUndefined()
  })

  test.each(['', '# nothing\n', '---\n', '{}\n', '\uFEFFlog: {}\n'])(
    'a file that asks for nothing: %j',
    async (yaml) => {
      expect((await good({ yaml })).server.port).toBe(4000)
    },
  )

  test('an anchor is what it stands for', async () => {
    const yaml = 'hosts:\n  - &a { url: "http://a:1", kind: &k lmx }\n  - { url: "http://b:1", kind: *k }\n'
    expect((await good({ yaml })).hosts.map((host) => host.kind)).toEqual(['lmx', 'lmx'])
  })

  test('aliases in their three forms', async () => {
    const yaml = 'hosts: [{ name: a, url: "http://a:1" }]\nmodels: { aliases: { x: m, y: { a: m }, z: [m, n] } }\n'
    expect((await good({ yaml })).models.aliases).toEqual({ x: 'm', y: { a: 'm' }, z: ['m', 'n'] })
  })

  test('a key called __proto__ is refused like any other', async () => {
    expect(await problems({ yaml: '__proto__: { port: 1 }\n' })).toEqual(['F:1:1 __proto__: unknown key'])
  })

  test('variables of compose and Kubernetes that mean nothing', async () => {
    const environment = {
      LMX_GATEWAY_BIND: '',
      LMX_GATEWAY_PORT: 'tcp://10.0.0.1:4000',
      LMX_GATEWAY_SERVICE_HOST: '10.0.0.1',
    }
    expect((await good({ environment })).server).toMatchObject({ bind: '127.0.0.1', port: 4000 })
  })
})

describe('the default file', () => {
  test('is read where there is one', async () => {
    const own = await mkdtemp(join(folder, 'own-'))
    await writeFile(join(own, defaultFile), 'server: { port: 4711 }\n')
    const loaded = await loadConfig({ flags: new Map(), environment: {}, folder: own })
    expect(loaded).toMatchObject({ kind: 'good', config: { server: { port: 4711 } }, file: join(own, defaultFile) })
  })

  test('is refused above a mebibyte, and read at it', async () => {
    const fits = `#${' '.repeat(1_048_576 - 2)}\n`
    expect(await problems({ yaml: fits })).toEqual([])
    expect(await problems({ yaml: `${fits}#` })).toEqual([
      '--config: F has 1048577 bytes; a configuration has at most 1048576',
    ])
  })
})
