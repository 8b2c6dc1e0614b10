/** The admin listener on a free loopback port over stores in memory, and an operator who asks it. */

import { newAdminToken } from '../../src/access/admin-token.ts'
import { withChangeLog } from '../../src/access/change-log.ts'
import { KeyAdmin } from '../../src/access/key-admin.ts'
import { KeyGuesses } from '../../src/access/key-guesses.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { LogFields } from '../../src/base/log.ts'
import { adminApp } from '../../src/http/admin/admin-app.ts'
import { adminHeaders } from '../../src/http/admin/admin-headers.ts'
import type { AdminParts } from '../../src/http/admin/admin-parts.ts'
import { Listener } from '../../src/http/listener.ts'
import { serverOptions } from '../../src/http/options.ts'
import type { UsageQuery, UsageSum } from '../../src/metering/ledger-store.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { RecentFigures } from '../../src/observe/recent-figures.ts'
import { loneView } from '../../src/replicas/view.ts'
import { type Headers as HeaderFields, requestBytes } from './http-bytes.ts'
import type { HttpMessage } from './http-message.ts'
import { MemoryKeys } from './memory-keys.ts'
import { quietFleet, quietTraffic } from './quiet-traffic.ts'
import { RawClient } from './raw-client.ts'
import { ScriptedSources } from './scripted-sources.ts'

/** An answer as a program sees it. */
export interface AdminReply {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined where it is no JSON. */
  readonly json: unknown
}

export interface AdminCall {
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Null for none; the admin token unless said. */
  readonly token?: string | null
}

export interface AdminUnderTest extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly token: string
  readonly keys: MemoryKeys
  readonly log: readonly { level: string; message: string; fields: LogFields }[]
  /** What the ledger was asked. */
  readonly asked: readonly UsageQuery[]
  ask(method: string, path: string, call?: AdminCall): Promise<AdminReply>
  /** Byte by byte, on a connection of its own, without any token. */
  raw(method: string, path: string, headers?: HeaderFields, body?: string | Buffer): Promise<HttpMessage>
  /** A connection that is closed at the end. */
  connect(): Promise<RawClient>
}

export const teams = { red: { tokensPerMinute: 10_000 }, blue: {} }

export async function startAdmin(
  changes: Partial<Omit<AdminParts, 'keyAdmin' | 'keyStore'>> & { sums?: readonly UsageSum[]; keys?: MemoryKeys } = {},
): Promise<AdminUnderTest> {
  const { sums = [], keys = new MemoryKeys(), ...parts } = changes
  const { token, digest } = newAdminToken()
  keys.adminTokenDigest = digest
  const log: { level: string; message: string; fields: LogFields }[] = []
  const asked: UsageQuery[] = []
  const write: AdminParts['log'] = (level, message, fields = {}) => void log.push({ level, message, fields })
  const clock = parts.clock ?? systemClock
  const sources = new ScriptedSources()
  const metrics = createMetrics(sources)
  const { counted } = metrics
  const traffic = parts.traffic ?? quietTraffic()
  const app = adminApp({
    version: '1.2.3',
    clock,
    log: write,
    metrics,
    figures: {
      sources,
      counted,
      recent: new RecentFigures({ clock, sources, counted }),
      lagMs: () => 0,
      startedAtMs: 0,
    },
    bind: '127.0.0.1',
    hostNames: ['gateway.test'],
    metricsOpen: false,
    metricsToken: 'a-token-for-the-scraper',
    adminTokenDigest: () => keys.adminTokenDigest,
    guesses: new KeyGuesses({ failedKeysPerMinute: 1_000_000, clock }),
    keyAdmin: () => Promise.resolve(new KeyAdmin(withChangeLog(keys, write), { clock, teams: Object.keys(teams) })),
    keyStore: keys,
    fleet: quietFleet(traffic.hosts),
    hostNetworks: () => [],
    reload: () => null,
    allKeys: () => keys.records.values(),
    traffic,
    replicas: () => loneView({ name: 'gw', version: '1.2.3', startedAtMs: 0, load: { running: 0, waiting: 0 } }),
    ledger: {
      usage: async (query) => {
        asked.push(query)
        return sums
      },
    },
    teams,
    timeZone: 'UTC',
    currency: 'USD',
    limitsLeft: () => [{ limit: 'tokensPerMinute', of: 'team', maximum: 10_000, remaining: 9_000, resetMs: 6_000 }],
    ...parts,
  })
  const limits = { ...serverOptions.parse({}), clientStallMsMax: 30_000 }
  const listener = new Listener(() => Promise.resolve(app), limits, systemClock, undefined, { headers: adminHeaders })
  const { port } = await listener.listen('127.0.0.1', 0)
  const url = `http://127.0.0.1:${port}`
  const clients: RawClient[] = []
  const connect = async (): Promise<RawClient> => {
    const client = await RawClient.open(port)
    clients.push(client)
    return client
  }
  return {
    url,
    port,
    token: token.reveal(),
    keys,
    log,
    asked,
    ask: (method, path, call = {}) => askAdmin(`${url}${path}`, method, { token: token.reveal(), ...call }),
    connect,
    raw: async (method, path, headers, body) => {
      const client = await connect()
      await client.send(requestBytes(method, path, headers, body))
      const answer = await client.response()
      await answer.over()
      return answer
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close()
      await listener.close()
    },
  }
}

/** With the token of the call, if it has one. */
export async function askAdmin(
  url: string,
  method: string,
  { body, headers = {}, token }: AdminCall,
): Promise<AdminReply> {
  const reply = await fetch(url, {
    method,
    headers: {
      ...(token == null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await reply.text()
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true && text !== ''
  return { status: reply.status, headers: reply.headers, text, json: isJson ? JSON.parse(text) : undefined }
}
