/** A house with several gateways: one Redis, HAProxy in front of them, hosts and clients beside them, each a process of its own. */
import { cpSync, mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { replaceAdminToken } from '../../../src/access/admin-token.ts'
import { KeyAdmin } from '../../../src/access/key-admin.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { openStore } from '../../../src/stores/open-store.ts'
import type { ConfigInput } from '../config-of.ts'
import { type RedisServer, startRedis } from '../redis.ts'
import { becomesTrue } from '../within.ts'
import { type Balancer, freePort, startBalancer } from './balancer.ts'
import { type HostWanted, Load } from './load.ts'
import { Replica } from './replica.ts'

const fleet = 'house'

export interface HouseWanted {
  readonly gateways: number
  readonly hosts: readonly HostWanted[]
  /** Keys as the admin API takes them, by their names. */
  readonly keys: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly config?: Omit<ConfigInput, 'hosts'>
  /** Of each request's call of Redis, and of a connection; default: so long that a busy machine is not taken for a Redis that is gone. */
  readonly answerMsMax?: number
}

export interface HouseKey {
  readonly id: string
  readonly secret: string
}

export class SeveralGateways implements AsyncDisposable {
  readonly redis: RedisServer
  readonly load: Load
  readonly balancer: Balancer
  readonly replicas: readonly Replica[]
  readonly keys: Readonly<Record<string, HouseKey>>
  readonly adminToken: string
  readonly #stack: AsyncDisposableStack

  private constructor(parts: Parts, stack: AsyncDisposableStack) {
    this.redis = parts.redis
    this.load = parts.load
    this.balancer = parts.balancer
    this.replicas = parts.replicas
    this.keys = parts.issued.keys
    this.adminToken = parts.issued.adminToken
    this.#stack = stack
  }

  /** Every gateway takes requests, and HAProxy knows it, when it resolves. */
  static async start(wanted: HouseWanted): Promise<SeveralGateways> {
    await using stack = new AsyncDisposableStack()
    const folder = await mkdtemp(join(tmpdir(), 'several-gateways-'))
    stack.defer(() => rm(folder, { recursive: true, force: true }))
    const redis = await startRedis()
    stack.defer(() => redis.close())
    const load = stack.use(await Load.start(wanted.hosts))
    const issued = await issue(join(folder, 'keys'), wanted)
    const replicas: Replica[] = []
    for (let at = 1; at <= wanted.gateways; at += 1) {
      const name = `gateway-${at}`
      const own = join(folder, name)
      cpSync(join(folder, 'keys'), own, { recursive: true })
      const config = configOf(wanted, { load, redis, name })
      replicas.push(stack.use(new Replica({ name, folder: own, port: await freePort(), config })))
    }
    await Promise.all(replicas.map((replica) => replica.start()))
    const urls = replicas.map(({ url }) => url)
    const balancer = stack.use(await startBalancer('haproxy', urls))
    const house = new SeveralGateways({ redis, load, balancer, replicas, issued }, stack.move())
    try {
      await house.ready(true)
      await house.shares()
      return house
    } catch (error) {
      // Nobody has it who could end it.
      await house[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Until HAProxy takes all of them for ready, or this one. */
  async ready(isReady: boolean, only?: Replica): Promise<void> {
    const wanted = this.replicas.filter((replica) => only === undefined || replica === only)
    await becomesTrue(30_000, `HAProxy to see whether gateways are ready: ${isReady}`, async () => {
      const ready = await this.balancer.ready()
      return wanted.every((replica) => ready[this.replicas.indexOf(replica)] === isReady)
    })
  }

  /** Until each of those that run says that all of them count together. */
  async shares(running = this.replicas): Promise<void> {
    for (const replica of running) {
      await becomesTrue(30_000, `${replica.name} to share with ${running.length - 1} others`, async () => {
        const { sharing, replicas } = await this.admin<Sharing>(replica, '/admin/replicas')
        return sharing.isShared && replicas.length === running.length
      })
    }
  }

  /** Names of what Redis keeps of the fleet, each with the time until it is forgotten; null: it is kept. */
  async kept(): Promise<ReadonlyMap<string, number | null>> {
    const prefix = `lmx-gateway:{${fleet}}:`
    const names = (await this.redis.command('KEYS', `${prefix}*`))
      .split('\r\n')
      .filter((line) => line.startsWith(prefix))
    const kept = new Map<string, number | null>()
    for (const name of names) {
      const leftMs = Number((await this.redis.command('PTTL', name)).slice(1))
      // Gone meanwhile.
      if (leftMs === -2) continue
      kept.set(name.slice(prefix.length), leftMs === -1 ? null : leftMs)
    }
    return kept
  }

  /** Text of a string that Redis keeps, as it writes it. */
  text(name: string): Promise<string> {
    return this.redis.command('GET', `lmx-gateway:{${fleet}}:${name}`)
  }

  /** The JSON of an answer of one gateway's admin API. */
  async admin<Answer>(replica: Replica, path: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.adminToken}`, connection: 'close' }
    const answer = await fetch(`${replica.adminUrl}${path}`, { headers })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return (await answer.json()) as Answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

interface Sharing {
  readonly sharing: { readonly isShared: boolean }
  readonly replicas: readonly unknown[]
}

interface Parts {
  readonly redis: RedisServer
  readonly load: Load
  readonly balancer: Balancer
  readonly replicas: readonly Replica[]
  readonly issued: Issued
}

interface Issued {
  readonly keys: Readonly<Record<string, HouseKey>>
  readonly adminToken: string
}

/** A store that each gateway has a copy of. */
async function issue(folder: string, { keys, config }: HouseWanted): Promise<Issued> {
  mkdirSync(folder)
  const store = await openStore({ path: join(folder, 'gateway.db'), role: 'cli' })
  try {
    const admin = new KeyAdmin(store.keys, { clock: systemClock, teams: Object.keys(config?.teams ?? {}) })
    const issued: Record<string, HouseKey> = {}
    for (const [name, fields] of Object.entries(keys)) {
      const { record, key } = await admin.create({ name, ...fields }, 'cli test')
      issued[name] = { id: record.id, secret: key.reveal() }
    }
    const change = { clock: systemClock, actor: 'cli test', action: 'admin-token.create' } as const
    return { keys: issued, adminToken: (await replaceAdminToken(store.keys, change)).reveal() }
  } finally {
    await store.close()
  }
}

function configOf(
  { hosts, config = {}, answerMsMax = 10_000 }: HouseWanted,
  { load, redis, name }: { load: Load; redis: RedisServer; name: string },
): ConfigInput {
  return {
    // What a busy machine keeps a probe waiting for is no fault of a host.
    probe: { everyMs: 600_000 },
    ...config,
    hosts: hosts.map((host) => ({ name: host.name, url: load.urls[host.name] ?? '', slots: host.slots })),
    server: { shutdownDelayMs: 5_000, drainMsMax: 30_000, trustedProxies: ['127.0.0.1'], ...config.server },
    log: { format: 'json', ...config.log },
    storage: { redis: { url: redis.url, fleet, replica: name, answerMsMax, connectMsMax: answerMsMax } },
  }
}
