import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { type AccessReport, accessText, curlLine, hostsText, listeningText } from '../../../src/cli/screen.ts'
import type { HostReport } from '../../../src/gateway.ts'

const addresses = { dataUrl: 'http://127.0.0.1:4000', adminUrl: 'http://127.0.0.1:4001/' }
const watched = { metrics: { enabled: true }, otlp: {} }
const found: HostReport = {
  name: 'studio',
  url: 'http://a:1',
  kind: 'lmx',
  problem: null,
  models: ['a', 'b'],
  slots: 2,
}
const lost: HostReport = { ...found, name: 'mini', kind: null, problem: 'connection refused', models: [] }

describe('the screen after a start', () => {
  test('where to point clients', () => {
    const text = listeningText('1.2.3', addresses, watched)
    expect(text).toContain('http://127.0.0.1:4000/v1\n')
    expect(text).toContain('http://127.0.0.1:4001/metrics')
  })

  test('that metrics are off, and where traces go, less what may be a secret in it', () => {
    const otlp = { endpoint: 'http://collector.local:4318/team-key' }
    const text = listeningText('1.2.3', addresses, { metrics: { enabled: false }, otlp })
    expect(text).toContain('  metrics      off (metrics.enabled); admin API at http://127.0.0.1:4001\n')
    expect(text).toContain('  OTLP         to http://collector.local:4318')
    expect(text).not.toContain('team-key')
  })

  test.each(['http://0.0.0.0:4000', 'http://[::]:4000/'])('%s: an address that can be typed', (dataUrl) => {
    expect(listeningText('1.2.3', { ...addresses, dataUrl }, watched)).toContain(
      'http://127.0.0.1:4000/v1  (on every address',
    )
  })

  test('one line per host, in columns', () => {
    const lines = hostsText([found, lost], addresses, 5_000).split('\n')
    expect(lines[1]).toBe('  studio  lmx  2 models (a, b)  2 slots')
    expect(lines[2]).toBe('  mini    not reachable: connection refused; probing on every 5 s')
  })

  test('a long list of models is cut', () => {
    const models = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
    expect(hostsText([{ ...found, models, slots: 1 }], addresses, 500)).toContain(
      '7 models (a, b, c, d, e and 2 more)  1 slot\n',
    )
  })

  test('the command to try names a model that chats', () => {
    const models = ['nomic-embed-text', 'qwen3']
    expect(hostsText([lost, { ...found, models }], addresses, 5_000)).toContain('"model":"qwen3"')
    expect(hostsText([{ ...found, models: ['nomic-embed-text'] }], addresses, 5_000)).toContain(
      '"model":"nomic-embed-text"',
    )
  })

  test('what to do when no host is reachable, or none has a model', () => {
    expect(hostsText([lost], addresses, 5_000)).toContain('--host-url')
    expect(hostsText([{ ...found, models: [] }], addresses, 5_000)).toContain('curl http://127.0.0.1:4000/v1/models')
  })

  test("a host's words cannot steer the terminal", () => {
    const text = hostsText(
      [
        { ...found, models: ['\u001b[2Jx'] },
        { ...lost, problem: 'a\nb\u202e' },
      ],
      addresses,
      5_000,
    )
    for (const unwanted of ['\u001b', '\u202e', 'a\nb']) expect(text).not.toContain(unwanted)
    expect(text).toContain('(?[2Jx)')
  })

  test('a shell takes the command as it is, whatever the model is called', () => {
    const model = `it's "$HOME" \`x\` \\ %s`
    const command = curlLine('http://127.0.0.1:4000', model).replace(/^curl/, 'printf "%s\\n"')
    const args = execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' }).split('\n')
    expect(args.slice(0, 5)).toEqual([
      '-N',
      'http://127.0.0.1:4000/v1/chat/completions',
      '-H',
      'content-type: application/json',
      '-d',
    ])
    expect(JSON.parse(args[5] ?? '')).toMatchObject({ model, stream: true })
  })
})

describe('who may use it, on the screen after a start', () => {
  test.each<[Partial<AccessReport>, RegExp]>([
    [{ isAnonymous: true }, /^ {2}keys {9}none: clients need none \(lmx-gateway keys create .*\)$/m],
    [{ isAnonymous: true, liveKeys: 2 }, /^ {2}keys {9}2 live; clients without one are served as well$/m],
    [{ liveKeys: 3 }, /^ {2}keys {9}3 live$/m],
    [{}, /^ {2}keys {9}none is live, so nobody is served; lmx-gateway keys create /m],
    [{}, /^ {2}store {8}\/s\/gateway\.db$/m],
    [{ storePath: ':memory:' }, /^ {2}store {8}in memory: nothing is kept$/m],
    [{ storePath: 'a\u001b[2J' }, /^ {2}store {8}a\?\[2J$/m],
  ])('%j', (some, line) => {
    expect(accessText({ liveKeys: 0, isAnonymous: false, storePath: '/s/gateway.db', ...some })).toMatch(line)
  })

  test('the command to try sends a key where one is needed', () => {
    const command = hostsText([found], addresses, 5_000, true).split('\n').at(-1) ?? ''
    const script = `KEY="a key"; ${command.replace(/^ +curl/, 'printf "%s\\n"')}`
    const args = execFileSync('/bin/sh', ['-c', script], { encoding: 'utf8' }).split('\n')
    expect(args).toContain('authorization: Bearer a key')
    expect(hostsText([found], addresses, 5_000)).not.toContain('authorization')
    const none = hostsText([{ ...found, models: [] }], addresses, 5_000, true)
    expect(none).toContain('/v1/models -H "authorization: Bearer $KEY"')
  })
})
