/** Words that are code somewhere: in keys, models, names and filters they are words, wherever they come to stand. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createLog } from '../../../src/observe/log-writer.ts'
import { logOptions } from '../../../src/observe/options.ts'
import { ChaosHost, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { type GatewayUnderTest, startGateway } from '../../kit/gateway-under-test.ts'
import { jsonRequestBytes, jsonResponseBytes, requestBytes, responseBytes } from '../../kit/http-bytes.ts'
import { prometheusMissing, promtoolProblems } from '../../kit/prometheus.ts'
import { scratchFolder } from '../../kit/stored-rows.ts'
import { sourceFiles } from '../../tidy/repository.ts'
import { keyedBytes, soundAnswer, usedBy, usedOnce } from './access-scene.ts'
import { chatBytes, errorOf, model, scenario } from './scene.ts'

const injections = [
  "' OR '1'='1",
  "'; DROP TABLE requests; --",
  '" OR ""="',
  "x' UNION SELECT record FROM keys --",
  "'||(SELECT group_concat(record) FROM keys)||'",
  "'); DELETE FROM audit; VACUUM; --",
  '%',
  '_______',
  "a\\'; ATTACH DATABASE ':memory:' AS x; --",
  ':key',
  '$key',
  '?1',
]

function rowsOf(path: string): Record<string, readonly unknown[]> {
  const file = new DatabaseSync(path, { readOnly: true })
  try {
    expect(file.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    const tables = file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all() as { name: string }[]
    return Object.fromEntries(tables.map(({ name }) => [name, file.prepare(`SELECT * FROM "${name}"`).all()]))
  } finally {
    file.close()
  }
}

describe('X02: injection', () => {
  test('X02: in keys, models, ids and names, on the way to a refusal too, it reads and changes nothing', async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const config = { storage: { path: folder.storePath }, limits: { failedKeysPerMinute: 1_000_000 } }
    await scenario({ config }, async (scene) => {
      const { gateway } = scene
      const keys = [await gateway.createKey({ name: 'one' }), await gateway.createKey({ name: 'two' })]
      scene.host().playAlways(...soundAnswer)
      for (const key of keys) await scene.ask(keyedBytes(key))
      const before = { keys: rowsOf(folder.storePath), list: await gateway.admin('GET', '/admin/keys') }
      await usedOnce(gateway, 2)
      let refused = 0
      for (const text of injections) {
        const carriers = [
          { authorization: `Bearer ${text}` },
          { authorization: `Bearer lmx_live_${text}` },
          { 'x-api-key': text },
          { authorization: text },
        ]
        for (const headers of carriers) {
          const answer = await scene.ask(chatBytes({}, headers))
          expect([text, answer.status, errorOf(answer).code]).toEqual([text, 401, 'invalid_api_key'])
          refused += 1
        }
        const [key] = keys
        const named = await scene.ask(keyedBytes(key!, { model: text, user: text, metadata: { text } }))
        expect([named.status, errorOf(named).code]).toEqual([404, 'model_not_found'])
        // An id that is no plain word is replaced.
        const told = await scene.ask(keyedBytes(key!, { user: text }, { 'x-request-id': text, 'user-agent': text }))
        expect([told.status, told.header('x-request-id')]).toEqual([200, expect.stringMatching(/^[\w-]+$/)])
        refused += 1
      }
      expect(await usedOnce(gateway, 2 + injections.length)).toMatchObject({ failed: 0 })
      expect(await gateway.admin('GET', '/admin/keys')).toEqual(before.list)
      expect(rowsOf(folder.storePath)).toEqual(before.keys)
      const { requests } = rowsOf(folder.usagePath)
      expect(requests).toHaveLength(2 + injections.length)
      return { requests: 2 + refused + injections.length, attempts: { a: 2 + injections.length } }
    })
  })

  test('X02: in filters of usage and of keys it stands for itself alone, and for a key that is named so', async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    await scenario(
      { hosts: { a: [model, ...injections] }, config: { storage: { path: folder.storePath } } },
      async (scene) => {
        const { gateway } = scene
        const plain = await gateway.createKey({ name: 'plain' })
        const named = new Map<string, { key: string; id: string }>()
        for (const text of injections) named.set(text, await gateway.createKey({ name: text, tags: { note: text } }))
        scene.host().playAlways(...soundAnswer)
        await scene.ask(keyedBytes(plain))
        for (const [text, key] of named)
          expect((await scene.ask(keyedBytes(key, { model: text }))).status, text).toBe(200)
        const all = 1 + injections.length
        await usedOnce(gateway, all)
        const before = rowsOf(folder.storePath)
        const operator = { headers: { authorization: `Bearer ${gateway.adminToken}` } }
        for (const text of injections) {
          const asked = encodeURIComponent(text)
          for (const filter of ['key', 'model', 'team', 'host']) {
            const answer = await fetch(`${gateway.adminUrl}/admin/usage?by=key&${filter}=${asked}`, operator)
            const { rows } = (await answer.json()) as { rows: readonly { key: string; requests: number }[] }
            const own = filter === 'key' || filter === 'model' ? [{ key: text, requests: 1 }] : []
            expect(
              rows.map(({ key, requests }) => ({ key, requests })),
              `${filter} ${text}`,
            ).toEqual(own)
          }
          const { keys } = (await gateway.admin('GET', `/admin/keys?name=${asked}`)) as {
            keys: readonly { id: string }[]
          }
          expect(keys.map(({ id }) => id)).toEqual([named.get(text)?.id])
          // Paths have no escapes here, so that most of these cannot even be asked for by name.
          const byName = await fetch(`${gateway.adminUrl}/admin/keys/${asked}`, operator)
          if (asked === text) expect(await byName.json()).toMatchObject({ name: text, tags: { note: text } })
          else expect([asked, byName.status]).toEqual([asked, 404])
          for (const wrong of [`by=${asked}`, `from=${asked}`, `to=${asked}`, `format=${asked}`, `${asked}=1`]) {
            const answer = await fetch(`${gateway.adminUrl}/admin/usage?${wrong}`, operator)
            expect([wrong, answer.status]).toEqual([wrong, 400])
            expect(await answer.text()).not.toMatch(/SQL|sqlite|syntax|near "/i)
          }
        }
        expect(rowsOf(folder.storePath)).toEqual(before)
        expect(await usedBy(gateway)).toMatchObject({ requests: all, failed: 0 })
        return { requests: all, attempts: { a: all } }
      },
    )
  })

  test('X02: no statement of the stores is put together from text', () => {
    const stores = sourceFiles().filter(({ path }) => path.startsWith('src/stores/'))
    expect(stores.length).toBeGreaterThan(5)
    const statement = /`(?:[^`\\]|\\.)*\b(?:SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|ATTACH|VACUUM)\s(?:[^`\\]|\\.)*`/g
    const found = stores.flatMap(({ path, text }) =>
      (text.match(statement) ?? []).filter((sql) => sql.includes('${')).map((sql) => `${path}: ${sql}`),
    )
    expect(found).toEqual([])
    expect('x(`SELECT a FROM ${b}`)'.match(statement)?.[0]).toContain('${')
  })
})

/** What a label, a line of a log or a terminal could take for its own. */
const marks = {
  quote: 'a"} 1\nforged{b="',
  backslash: 'a\\',
  'backslash and quote': 'a\\"b',
  lf: 'a\nforged_total 1',
  crlf: 'a\r\nforged: 1',
  ansi: 'a\u001b[31mred\u001b]0;title\u0007',
  'C1 controls': 'a\u009b31m',
  separators: 'a\u2028b\u2029c',
  'turned around': 'a\u202eb\u2066c',
  nul: 'a\0b',
  json: '"},{"level":"error","msg":"forged',
} as const

describe('X24: labels', () => {
  test.skipIf(prometheusMissing && process.env['CI'] !== 'true')(
    'X24: names of keys, models and aliases with what labels are made of leave metrics that parse, with each name in them once',
    async () => {
      const printable = [
        marks.backslash,
        marks['backslash and quote'],
        marks.json,
        'a"b',
        'a{b="c"}',
        'a,b',
        '# HELP x',
        'ü – 模型',
      ]
      // What a host lists with these in its name is no model.
      const unlisted = [marks.lf, marks.quote, marks.crlf]
      const host = await ChaosHost.start({ models: [...printable, ...unlisted] })
      onTestFinished(() => host.close())
      await using gateway = await startGateway({
        hosts: [{ name: 'a', url: host.url, kind: 'openai' }],
        models: { aliases: { 'alias"\\': printable[0]! } },
        probe: { everyMs: 600_000 },
      })
      host.playAlways(...soundAnswer)
      for (const name of printable) {
        const key = await gateway.createKey({ name })
        expect([name, await chatStatus(gateway, key.key, name)]).toEqual([name, 200])
        for (const unknown of [`unknown ${name}`, ...unlisted])
          expect(await chatStatus(gateway, key.key, unknown)).toBe(404)
      }
      for (const bad of [
        marks.lf,
        marks.crlf,
        marks.ansi,
        marks.separators,
        marks.nul,
        marks['turned around'],
        marks['C1 controls'],
      ])
        await expect(gateway.admin('POST', '/admin/keys', { name: bad })).rejects.toThrow(/400.*printable/)
      const all = await gateway.metrics()
      const page = `${all
        .split('\n')
        .filter((line) => line.includes('lmx_gateway_') || line.startsWith('forged'))
        .join('\n')}\n`
      expect(promtoolProblems(page)).toBe('')
      expect(page).not.toMatch(/^forged/m)
      expect(page).not.toContain('unknown ')
      // By a reader of its own: each series stands once, and its labels are the names that were given.
      const labels = labelsOf(page)
      expect(labels.size).toBeGreaterThan(0)
      const [modelLabels, keyLabels] = [labels.get('model'), labels.get('key')]
      for (const name of printable) {
        expect(modelLabels).toContain(name)
        expect(keyLabels).toContain(name)
      }
    },
  )
})

async function chatStatus(gateway: GatewayUnderTest, key: string, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ model: name, messages: [] })
  const answer = await fetch(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body })
  await answer.arrayBuffer()
  return answer.status
}

/** Values by label, as the format of the exposition has them. Throws for a line that is none of it. */
function labelsOf(page: string): Map<string, Set<string>> {
  const values = new Map<string, Set<string>>()
  const unescape = (text: string) => text.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
  for (const line of page.split('\n')) {
    if (line === '' || line.startsWith('# ')) continue
    const match = /^[a-z0-9_]+(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? [-+.\deEIN][\w.+-]*$/.exec(line)
    if (match === null) throw new Error(`no line of an exposition: ${line}`)
    for (const [, label = '', value = ''] of (match[1] ?? '').matchAll(/([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/g)) {
      values.set(label, (values.get(label) ?? new Set()).add(unescape(value)))
    }
  }
  return values
}

describe('X25: log injection', () => {
  test('X25: whatever stands in headers, models, names, ids and errors of hosts, each line of the log is one line of JSON, and no value is long', () =>
    scenario(
      {
        hosts: { a: [model, ...Object.values(marks)] },
        config: { relay: { bodyBytesMax: 4_000_000 }, limits: { failedKeysPerMinute: 1_000_000 } },
      },
      async (scene) => {
        const { gateway } = scene
        const key = await gateway.createKey({ name: 'a" b\\c' })
        let requests = 0
        const ask = async (bytes: Buffer): Promise<void> => {
          await scene.ask(bytes)
          requests += 1
        }
        const long = 'x'.repeat(1_048_576)
        for (const start of [0, 4, 8]) {
          const page = `<html>${Object.values(marks)
            .slice(start, start + 4)
            .join(' ')} ${long.slice(0, 5_000)}`
          scene.host().play(wholeRequest, responseBytes(500, { 'content-type': 'text/html' }, page))
          await ask(keyedBytes(key))
        }
        for (const text of [...Object.values(marks), long]) {
          const header = Buffer.from(text.slice(0, 2_000))
            .toString('latin1')
            .replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, ' ')
          scene.host().playAlways(wholeRequest, jsonResponseBytes(400, { error: { message: text } }))
          for (const name of [text, `none ${text}`]) await ask(keyedBytes(key, { model: name }))
          const odd = {
            'user-agent': header,
            'x-forwarded-for': header,
            referer: header,
            'x-request-id': header,
            cookie: header,
          }
          await ask(keyedBytes(key, { user: text, messages: [{ role: 'user', content: text }] }, odd))
          await ask(
            jsonRequestBytes('/v1/chat/completions', { model, messages: [] }, { authorization: `Bearer ${header}` }),
          )
          await scene.ask(requestBytes('GET', `/${encodeURIComponent(text.slice(0, 1_000))}`))
          const create = {
            method: 'POST',
            headers: {
              authorization: `Bearer ${gateway.adminToken}`,
              'content-type': 'application/json',
              'user-agent': header,
            },
          }
          await fetch(`${gateway.adminUrl}/admin/keys`, {
            ...create,
            body: JSON.stringify({ name: text, tags: { note: text }, [text.slice(0, 60_000)]: 1 }),
          })
          await fetch(`${gateway.adminUrl}/admin/keys/${encodeURIComponent(text.slice(0, 1_000))}/revoke`, {
            ...create,
            body: '{}',
          })
        }
        await gateway.outcomesOnce(requests)
        for (const format of ['json', 'text'] as const) {
          let text = ''
          const sink = { on: () => {}, write: (line: string) => (text += line) !== '' }
          const log = createLog(logOptions.parse({ format, level: 'debug' }), sink, new FakeClock())
          for (const { level, message, fields } of gateway.log)
            log(level as 'info', message, fields as Record<string, string>)
          log.flush()
          const lines = text.split('\n')
          expect(lines.pop()).toBe('')
          expect(lines.length).toBeGreaterThan(requests)
          for (const line of lines) {
            // eslint-disable-next-line no-control-regex -- the point of the test
            expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
            expect(line.length).toBeLessThan(8_000)
            if (format === 'text') expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3}Z (?:debug|info |warn |error) /)
            else
              for (const value of Object.values(JSON.parse(line) as object))
                expect(Buffer.byteLength(String(value))).toBeLessThanOrEqual(1_027)
          }
        }
        expect(gateway.log.filter(({ fields }) => 'said' in fields).length).toBe(3)
        return { requests, attempts: { a: scene.host().exchanges.length } }
      },
    ))
})
