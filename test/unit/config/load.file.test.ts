import { describe, expect, test } from 'vitest'
import type { Environment } from '../../../src/config/interpolation.ts'
import { problems } from './loading.ts'

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
    [
      'a fraction',
      'relay:\n  connectMsMax: 1.5\n',
      /^F:2:17 relay\.connectMsMax: must be a whole number of milliseconds, not 1\.5$/,
    ],
    ['number for text', 'server: { bind: 5 }\n', /^F:1:17 server\.bind: must be text .*not 5$/],
    ['text for a switch', 'server:\n  allowAnonymous: maybe\n', /must be true or false, not "maybe"$/],
    ['list for a mapping', 'server: [1]\n', /^F:1:9 server: must be a mapping .*not a list$/],
    [
      'mapping for a list',
      'hosts: { url: x }\n',
      /^F:1:8 hosts: must be a list, not a mapping; write it like hosts: \[\{ url: "http:\/\/192\.168\.188\.11:1234" \}\]$/,
    ],
    [
      'a URL for the list of hosts',
      'hosts: http://a:1\n',
      /^F:1:8 hosts: must be a list, not "http:\/\/a:1"; write it like hosts: \[\{ url: "http:\/\/a:1" \}\]$/,
    ],
    [
      'a URL for a host',
      'hosts:\n  - http://a:1\n',
      /^F:2:5 hosts\[0\]: must be a mapping .*, not "http:\/\/a:1"; write it like hosts: \[\{ url: "http:\/\/a:1" \}\]$/,
    ],
    [
      'a dash without a space',
      'hosts:\n  -url: http://a:1\n',
      /^F:2:3 hosts: must be a list, .*write it like hosts: \[/,
    ],
    ['a list on the line of its key', 'hosts: - url: http://a:1\n', /^F:1:8: not valid YAML: .*hosts: \[\{ url: /],
    [
      'a key of a host that is not below it',
      'hosts:\n  - url: http://a:1\nslots: 3\n',
      /^F:3:1 slots: unknown key here; did you mean hosts\[0\]\.slots\?$/,
    ],
    ...[
      ['too little', 'hosts:\n  - url: http://a:1\n   slots: 3\n', '3:4'],
      ['that of the dash', 'hosts:\n  - url: http://a:1\n  slots: 3\n', '3:3'],
      ['that of another mapping', 'server:\n   port: 1\n  bind: x\n', '3:3'],
      ['too much', 'server:\n  port: 1\n    bind: x\n', '2:9'],
      ['of two dashes', 'hosts:\n  - url: http://a:1\n - url: http://b:1\n', '3:2'],
    ].map(([what = '', yaml = '', position = '']): [string, string, RegExp] => [
      `a wrong indentation: ${what}`,
      yaml,
      new RegExp(`^F:${position}: not valid YAML: .*begin in the same column.* hosts: \\[\\{ url: "http:.*" \\}\\]$`),
    ]),
    ['text for everything', 'hello\n', /^F:1:1: must be a mapping of "key: value" lines$/],
    ['empty list', 'hosts: []\n', /^F:1:8 hosts: must have at least one entry$/],
    ['empty entry', 'hosts:\n  -\n', /^F:\d:\d+ hosts\[0\]: must be a mapping .*not empty; write it like hosts: /],
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
    [
      'key given twice, first without a value',
      'server:\nserver: {port: 6}\n',
      /^F:2:1: the key "server" is given twice$/,
    ],
    [
      'key given twice, once in quotes',
      'server: {}\n# again\n\n"server": {}\n',
      /^F:4:1: the key "server" is given twice$/,
    ],
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

describe('no secret is printed', () => {
  const secret = 'hunter2hunter2'
  test.each<[string, string]>([
    ['a key that is a number', 'hosts: [{ url: "http://a:1", apiKey: 8675309 }]'],
    ['a token that is too short', 'admin: { metricsToken: 8675309 }'],
    ['a token of a wrong type', `admin: { metricsToken: [${secret}] }`],
    ['the key of a receiver that is a number', 'otlp: { headers: { authorization: 8675309 } }'],
    ['the key of a receiver of a wrong type', `otlp: { headers: { authorization: [${secret}] } }`],
    ['credentials in the URL of a receiver', `otlp: { endpoint: "http://user:${secret}@a:1" }`],
    ['credentials in a wrong URL of a receiver', `otlp: { endpoint: "ftp://user:${secret}@a:1" }`],
    ['the key of a receiver that cannot be sent', `otlp: { headers: { authorization: "Bearer ${secret}\\nx" } }`],
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
    ['credentials in a URL for the list of hosts', `hosts: http://user:${secret}@a:1`],
    ['credentials in a URL for a host', `hosts: ["http://user:${secret}@a:1"]`],
    ['a key in the query of a URL for a host', `hosts: ["http://a:1?key=${secret}"]`],
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
