/** Usage and the admin token on the command line, and what it says of a place where no keys are. */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { digestOf } from '../../src/access/api-key.ts'
import type { AdmittedRequest, LedgerRow, UsageSum } from '../../src/metering/ledger-store.ts'
import { openStore } from '../../src/stores/open-store.ts'
import { startAdmin } from '../kit/admin-under-test.ts'
import { authority, certificate } from '../kit/certificates.ts'
import { cli, StoreFolder } from '../kit/cli-run.ts'
import { listen } from '../kit/servers.ts'

let folder: StoreFolder
beforeEach(async () => {
  folder = await StoreFolder.make()
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await folder[Symbol.asyncDispose]()
})

describe('usage', () => {
  const admitted: AdmittedRequest = {
    id: 'r1',
    requestId: 'r1',
    keyId: null,
    keyName: '=alice',
    team: null,
    endpoint: 'chat_completions',
    model: 'm',
    stream: true,
    startedAtMs: Date.UTC(2026, 10, 2, 12),
  }
  const row: LedgerRow = {
    admitted,
    figures: null,
    settled: {
      host: 'h',
      input: 1_000,
      cachedInput: 0,
      output: 200,
      reasoning: 0,
      inputSource: 'reported',
      outputSource: 'counted',
      endedAtMs: admitted.startedAtMs + 5,
      durationMs: 5,
      queueWaitMs: 0,
      ttftMs: 1,
      attempts: 1,
      status: 200,
      end: '--',
      errorCode: null,
      costNanos: 1_500_000_000,
    },
  }

  async function withRows(): Promise<readonly string[]> {
    const { flags } = folder
    const store = await openStore({ path: folder.storePath, role: 'gateway' })
    await store.ledger.write([row, { ...row, admitted: { ...admitted, id: 'r2', startedAtMs: Date.UTC(2026, 9, 1) } }])
    await store.close()
    return ['--from', '2026-11-01', '--to', '2026-11-30', ...flags]
  }

  test('as a table, as CSV and as JSON', async () => {
    const flags = await withRows()
    const table = await cli(['usage', ...flags])
    expect(table).toMatchObject({ code: 0, err: '' })
    expect(table.out).toMatch(/^=alice +1 +0 +1,000 +200 +17 % +1\.50$/m)
    const csv = await cli(['usage', '--by', 'key,day,host', '--format', 'csv', ...flags])
    expect(csv.out.split('\r\n')[0]).toMatch(/^key,keyId,day,host,requests,/)
    expect(csv.out.split('\r\n')[1]?.trim()).toBe("'=alice,,2026-11-02,h,1,0,0,1000,0,200,0,0,200,1.5,USD")
    const json = await cli(['usage', '--by', 'model', '--json', ...flags])
    expect(JSON.parse(json.out)).toMatchObject({
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-12-01T00:00:00.000Z',
      currency: 'USD',
      rows: [{ model: 'm', requests: 1, input: 1_000, output: 200, outputUnreported: 200, cost: 1.5 }],
      total: { requests: 1 },
    })
    const everything = await cli(['usage', '--by', 'total', '--json', '--from', '2026-01-01', ...flags.slice(4)])
    expect(JSON.parse(everything.out)).toMatchObject({ by: [], total: { requests: 2 } })
    const other = await cli(['usage', '--json', '--host', 'other', ...flags])
    expect(JSON.parse(other.out)).toMatchObject({ rows: [], total: { requests: 0 } })
  })

  test('of a key that is nowhere it says so; of one that used nothing, or only before, it does not', async () => {
    const flags = await withRows()
    await cli(['keys', 'create', '--name', 'alice', ...folder.flags])
    const said = async (key: string) => {
      const { code, err } = await cli(['usage', '--key', key, ...flags])
      return [code, err]
    }
    const unknown = 'Note: no key and no row of the ledger has the name or id'
    expect(await said('nobody')).toEqual([0, `${unknown} "nobody".`])
    expect(await said('alcie')).toEqual([0, `${unknown} "alcie"; did you mean "alice"?`])
    expect(await said('a\u001b[2J')).toEqual([0, `${unknown} "a?[2J".`])
    expect(await said('alice')).toEqual([0, ''])
    const later = await cli(['usage', '--key', '=alice', '--from', '2026-11-20', '--to', '2026-11-21', ...folder.flags])
    expect(later).toMatchObject({ code: 0, err: '' })
  })

  test('of a gateway elsewhere: the question as it was asked, the answer as it came', async () => {
    const sum: UsageSum = {
      group: { team: 'red', key: null, model: 'm', host: null, day: '2026-11-02' },
      requests: 2,
      failed: 0,
      unfinished: 1,
      input: 5,
      cachedInput: 1,
      output: 6,
      reasoning: 0,
      inputUnreported: 0,
      outputUnreported: 0,
      costNanos: 0,
    }
    await using admin = await startAdmin({ sums: [sum] })
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', admin.token)
    const flags = ['--admin-url', admin.url]
    const filters = ['--from', '2026-11-01', '--to', '2026-11-30', '--key', 'a&b', '--model', 'm', '--host', 'h']
    const { code, out } = await cli(['usage', '--by', 'team,day', '--json', '--team', 'red', ...filters, ...flags])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ rows: [{ team: 'red', day: '2026-11-02', requests: 2 }] })
    expect(admin.asked.at(-1)).toMatchObject({
      by: ['team', 'day'],
      key: 'a&b',
      team: 'red',
      model: 'm',
      host: 'h',
      fromMs: Date.UTC(2026, 10, 1),
      toMs: Date.UTC(2026, 11, 1),
    })
    const total = await cli(['usage', '--by', 'total', '--format', 'csv', ...flags])
    expect(total.out.split('\r\n')).toEqual([expect.stringMatching(/^requests,/), '2,0,1,5,1,6,0,0,0,0,USD\r'])
  })

  test.each([
    [['--by', 'modle'], /^lmx-gateway: --by: there is no column "modle"; did you mean "model"\?$/],
    [['--by', 'key,total'], /^lmx-gateway: --by: there is no column "total"/],
    [['--format', 'jsn'], /^lmx-gateway: --format: there is no format "jsn"; did you mean "json"\?$/],
    [['--from', 'yestrday'], /^lmx-gateway: --from must be a day such as /],
    [['--from', 'today', '--to', '2020-01-01'], /^lmx-gateway: --to must be later than what from says$/],
  ])('%j is refused with one sentence', async (args, sentence) => {
    const { flags } = folder
    const { code, out, err } = await cli(['usage', ...args, ...flags])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(sentence)
  })
})

describe('the admin token', () => {
  const digest = async () => {
    const store = await openStore({ path: folder.storePath, role: 'cli' })
    const { adminTokenDigest } = store.state
    await store.close()
    return adminTokenDigest
  }

  test('rotated on a terminal it is shown; else it is in a file; each time only the last is good', async () => {
    const { flags } = folder
    const shown = await cli(['admin-token', 'rotate', ...flags], true)
    expect(shown.code).toBe(0)
    expect(await digest()).toBe(digestOf(shown.out))
    const written = await cli(['admin-token', 'rotate', '--json', ...flags])
    const { file } = JSON.parse(written.out) as { file: string }
    expect(file).toBe(join(dirname(folder.storePath), 'gateway-admin-token'))
    const token = (await readFile(file, 'utf8')).trim()
    expect(written.out + written.err).not.toContain(token)
    expect(await digest()).toBe(digestOf(token))
    const asked = await cli(['admin-token', 'rotate', '--json', '--show', ...flags])
    expect(await digest()).toBe(digestOf((JSON.parse(asked.out) as { token: string }).token))
    const plain = await cli(['admin-token', 'rotate', '--show', ...flags])
    expect(await digest()).toBe(digestOf(plain.out))
  })

  test('where the file cannot be written, one sentence says that nobody has it', async () => {
    const { flags } = folder
    await cli(['keys', 'list', ...flags])
    await mkdir(join(dirname(folder.storePath), 'gateway-admin-token'))
    const { code, out, err } = await cli(['admin-token', 'rotate', ...flags])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/^lmx-gateway: the admin token could not be written to .*, so nobody has it: run this again /)
  })
})

describe('check-config', () => {
  const check = (config: string) => cli(['check-config', '--config', config, '--store', folder.storePath])

  test('names the keys whose team the configuration does not have, and makes no store to do so', async () => {
    const none = await folder.write('none.yaml', 'log: { level: info }\n')
    expect((await check(none)).out).not.toContain('Note: ')
    expect(existsSync(folder.storePath)).toBe(false)
    for (const name of ['alice', 'bob']) await cli(['keys', 'create', '--name', name, '--team', 'red', ...folder.flags])
    await cli(['keys', 'create', '--name', 'carol', ...folder.flags])
    await cli(['keys', 'revoke', 'bob', ...folder.flags])
    const { code, out } = await check(none)
    expect(code).toBe(0)
    expect(out).toMatch(/^Note: teams has no limits for the team of these keys.*: alice \(team red\)\.$/m)
    expect((await check(join(folder.path, 'gateway.yaml'))).out).not.toContain('Note: ')
  })
})

describe('check-config and certificates', () => {
  const ca = authority()
  const own = certificate('gateway', { by: ca })
  const check = async (text: string, ...flags: string[]) =>
    cli(['check-config', '--config', await folder.write('tls.yaml', text), '--store', folder.storePath, ...flags])
  const tls = (cert: string, key: string) => `server: { tls: { cert: '${cert}', key: '${key}' } }\n`
  const host = (name: string, more: string) => `  - { name: ${name}, url: 'https://${name}.test', ca: '${more}' }\n`

  test('what a start could use is good', async () => {
    const files = [await folder.write('c.pem', own.cert), await folder.write('k.pem', own.key)] as const
    await chmod(files[1], 0o600)
    const authorities = await folder.write('ca.pem', ca.cert)
    const good = await check(`${tls(...files)}hosts:\n${host('a', authorities)}`)
    expect(good).toMatchObject({ code: 0, err: '' })
    expect(good.out).not.toContain('Note: ')
    await chmod(files[1], 0o644)
    const noted = await check(tls(...files))
    expect(noted.code).toBe(0)
    if (process.platform !== 'win32')
      expect(noted.out).toMatch(/^Note: every user .* server\.tls\.key; chmod 600 it\.$/m)
  })

  test('what it could not use is refused in the words of a start, all of it at once', async () => {
    const other = certificate('other', { by: ca })
    const cert = await folder.write('c.pem', own.cert)
    const key = await folder.write('k.pem', other.key)
    const text = `${tls(cert, key)}hosts:\n${host('a', join(folder.path, 'none.pem'))}${host('b', key)}`
    const { code, out, err } = await check(text)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    const lines = err.split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[0]).toMatch(/^lmx-gateway: ca of the host a: .*none\.pem/)
    expect(lines[1]).toMatch(/^lmx-gateway: ca of the host b: /)
    expect(lines[2]).toMatch(/^lmx-gateway: server\.tls\.key: the key in .* is not that of the first certificate/)
    const json = await check(text, '--json')
    expect(json).toMatchObject({ code: 1, err: '' })
    const { ok, problems } = JSON.parse(json.out) as { ok: boolean; problems: { message: string }[] }
    expect([ok, ...problems.map(({ message }) => `lmx-gateway: ${message}`)]).toEqual([false, ...lines])
  })
})

describe('where the keys are', () => {
  test.each<[string[], RegExp]>([
    [
      ['--store', ':memory:'],
      /^lmx-gateway: a store in memory \(:memory:\) is of one running gateway only: use --admin-url/,
    ],
    [['--config', 'nowhere.yaml'], /^lmx-gateway: --config: there is no file nowhere\.yaml$/],
    [['--admin-url', 'http://127.0.0.1:1', '--store', 'x'], /^lmx-gateway: --store is about this machine and /],
    [
      ['--admin-url', 'http://127.0.0.1:1'],
      /^lmx-gateway: --admin-url needs the admin token .* LMX_GATEWAY_ADMIN_TOKEN$/,
    ],
  ])('%j is refused with one sentence', async (flags, sentence) => {
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', '')
    const { code, out, err } = await cli(['keys', 'list', ...flags])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(sentence)
  })

  test('a broken configuration is refused before the store is opened', async () => {
    const config = await folder.write('bad.yaml', 'server: { prot: 1 }\n')
    const { code, err } = await cli(['keys', 'create', '--name', 'x', '--config', config, '--store', folder.storePath])
    expect(code).toBe(1)
    expect(err).toContain('did you mean "port"?')
    expect(existsSync(folder.storePath)).toBe(false)
  })

  test.each<[string, RegExp]>([
    ['studio:4001', /is no address; write it like/],
    ['file:///etc/passwd', /is no address; write it like/],
    ['http://me:hunter2@127.0.0.1:1', /^lmx-gateway: --admin-url: must have no credentials/],
    ['http://127.0.0.1:1/?a=b', /nothing behind its path/],
    ['http://127.0.0.1:1', /^lmx-gateway: the gateway at http:\/\/127\.0\.0\.1:1\/ cannot be (?:reached|asked)/],
  ])('--admin-url %s', async (url, sentence) => {
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
    const { code, err } = await cli(['keys', 'list', '--admin-url', url])
    expect(code).toBe(1)
    expect(err).toMatch(sentence)
    expect(err).not.toContain('hunter2')
  })

  test('a wrong token is refused in the words of the gateway, which names the variable and not the token', async () => {
    await using admin = await startAdmin()
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_wrong')
    const { code, err } = await cli(['keys', 'list', '--admin-url', admin.url])
    expect(code).toBe(1)
    expect(err).toMatch(/LMX_GATEWAY_ADMIN_TOKEN/)
    expect(err).not.toContain('lmx_admin_wrong')
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_\u0001')
    expect((await cli(['keys', 'list', '--admin-url', admin.url])).err).toMatch(/characters that no token has$/)
  })

  test.each<[string, number, Record<string, string>, string]>([
    ['a page', 200, {}, '<html>'],
    ['other JSON', 200, {}, '{"keys":[{"id":1}]}'],
    ['an error of something else', 500, {}, '{"oops":true}'],
  ])('%s in the place of an admin API is one sentence', async (_what, status, headers, body) => {
    const other = await listen(createServer((_request, response) => response.writeHead(status, headers).end(body)))
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
    const { code, err } = await cli(['keys', 'list', '--admin-url', other.url])
    await other.close()
    expect(code).toBe(1)
    expect(err).toMatch(/^lmx-gateway: (?:what answers there is no admin API|the gateway at .* cannot be asked)/)
  })

  test('the question goes to this address and, with its token, to no other that it names', async () => {
    let asked = 0
    const other = await listen(createServer((_request, response) => (asked++, response.end('{"keys":[]}'))))
    const headers = { location: `${other.url}/admin/keys` }
    const first = await listen(createServer((_request, response) => response.writeHead(302, headers).end()))
    vi.stubEnv('LMX_GATEWAY_ADMIN_TOKEN', 'lmx_admin_x')
    const { code, err } = await cli(['keys', 'list', '--admin-url', first.url])
    await Promise.all([first.close(), other.close()])
    expect({ code, asked }).toEqual({ code: 1, asked: 0 })
    expect(err).toMatch(/^lmx-gateway: the gateway at .* cannot be asked$/)
  })
})
