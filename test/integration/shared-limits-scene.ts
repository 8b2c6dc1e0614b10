/** Limiters of gateways on one Redis that a test gives its time, and one gateway that stands alone in the same time. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Obstacle } from '../../src/access/account.ts'
import type { Cost } from '../../src/access/held.ts'
import { LimitLane } from '../../src/access/limit-lane.ts'
import { Limiter, type Subject } from '../../src/access/limiter.ts'
import { limitsOptions, type TeamsOptions } from '../../src/access/options.ts'
import { Reservation } from '../../src/access/reservation.ts'
import type { LimitBatch, LimitReply, LimitStore } from '../../src/access/shared-limits.ts'
import type { Clock } from '../../src/base/clock.ts'
import type { Log } from '../../src/base/log.ts'
import { limitScript, limitsLua } from '../../src/stores/redis/limit-script.ts'
import { RedisLimitStore } from '../../src/stores/redis/limit-store.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { Script } from '../../src/stores/redis/script.ts'
import { silentLog } from '../kit/silent-log.ts'

/** The script of the product, but for its time: that is what stands in a key. */
const timedScript = new Script(
  'limits',
  `local function now_ms() return tonumber(redis.call('GET', (string.gsub(KEYS[1], 'epoch$', 'now')))) end\n${limitsLua}`,
  (reply) => limitScript.read(reply),
)

const placed = { placed: 1 } as const
const newcomer = { newcomer: true } as const

/** Monotonic and wall time are one, in whole milliseconds. What is due later never comes by itself. */
export class SetClock implements Clock {
  ms = Date.UTC(2026, 0, 15, 12)

  now(): number {
    return this.ms
  }

  wallMs(): number {
    return this.ms
  }

  after() {
    return { cancel: () => {} }
  }

  afterTurn(callback: () => void) {
    const handle = setImmediate(callback)
    return { cancel: () => clearImmediate(handle) }
  }
}

export interface HowAsked {
  readonly patienceMs?: number
  /** It waits already. */
  readonly isPlaced?: boolean
}

export interface SharedGateway {
  readonly limiter: Limiter
  readonly lane: LimitLane
  readonly fleet: { isShared: boolean; count: number }
  /** Reservation or obstacle. */
  readonly ask: (subject: Subject, cost: Cost, how?: HowAsked) => Promise<Reservation | Obstacle>
  /** All that was said has been told. */
  readonly settled: () => Promise<void>
  readonly begunAnew: () => void
  /** Of batches that nobody answered. */
  readonly failures: readonly unknown[]
}

/** Does what the link does, with the script that a test gives its time. */
function timed(link: RedisLink): RedisLink {
  return {
    key: (name: string) => link.key(name),
    run: (_script: unknown, ...rest: [string[], string[], object]) => link.run(timedScript, ...rest),
  } as unknown as RedisLink
}

export interface SceneParts {
  readonly link: RedisLink
  readonly log?: Log
  readonly clock: SetClock
  readonly teams?: TeamsOptions
  readonly store?: (store: LimitStore) => LimitStore
}

/** One of those on the Redis: `id` tells it from others. */
export function sharedGateway(
  id: string,
  { link, clock, log = silentLog, teams = {}, store = (one) => one }: SceneParts,
): SharedGateway {
  const listeners: (() => void)[] = []
  const fleet = { id, count: 1, isShared: true, onEpoch: (listener: () => void) => void listeners.push(listener) }
  const running = new Set<LimitBatch>()
  const failures: unknown[] = []
  const inner = store(new RedisLimitStore(timed(link), { answerMsMax: 5_000, goneAfterMs: 3_000 }, log))
  const counted: LimitStore = {
    answerMsMax: 5_000,
    async charge(batch: LimitBatch, answerMsMax: number): Promise<LimitReply | null> {
      running.add(batch)
      try {
        return await inner.charge(batch, answerMsMax)
      } catch (error) {
        failures.push(error)
        throw error
      } finally {
        running.delete(batch)
      }
    },
  }
  const events = { limitsAsked: () => {}, limitAnswerUndone: () => {} }
  const lane = new LimitLane({ clock, store: counted, fleet, chance: () => 0, events })
  const limiter = new Limiter({
    clock,
    limits: limitsOptions.parse({}),
    teams,
    chance: () => 0,
    lane,
  })
  const settled = async () => {
    await lane.tellNow()
    while (running.size > 0) await turn()
  }
  return {
    limiter,
    lane,
    fleet,
    failures,
    settled,
    begunAnew: () => {
      for (const listener of listeners) listener()
    },
    ask: (subject, cost, { patienceMs = 0, isPlaced = false } = {}) =>
      new Promise((resolve, reject) => {
        const how = { patience: patienceMs, class: 1, isStill: () => true, ...(isPlaced ? placed : newcomer) }
        limiter.askTogether(subject, cost, how, (answer) => {
          if (answer === null) reject(new Error('another of its line goes first'))
          else resolve(answer)
        })
      }),
  }
}

export function loneLimiter(clock: SetClock, teams: TeamsOptions = {}) {
  const limiter = new Limiter({ clock, limits: limitsOptions.parse({}), teams, chance: () => 0 })
  const ask = (subject: Subject, cost: Cost, { patienceMs = 0 }: HowAsked = {}): Reservation | Obstacle => {
    const answer = limiter.ask(subject, cost)
    if (answer instanceof Reservation) return answer
    const waits = answer.waitMs <= patienceMs && answer.limit !== 'concurrentRequests'
    if (waits) limiter.waits(subject, cost, answer)
    else limiter.refuse(subject, cost, answer)
    return answer
  }
  return { limiter, ask }
}

export async function setTime(link: RedisLink, nowMs: number): Promise<void> {
  await link.command(['SET', link.key('now'), nowMs])
}

let epochs = 0

/** An epoch that holds for ever, and gateways that live for ever. */
export async function beginEpoch(link: RedisLink, ids: readonly string[]): Promise<void> {
  epochs += 1
  await link.command(['SET', link.key('epoch'), `epoch-${epochs} 0`])
  for (const id of ids) await link.command(['ZADD', link.key('alive'), 9_000_000_000_000, id])
}
