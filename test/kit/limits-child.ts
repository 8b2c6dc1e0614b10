/**
 * Limits of a gateway among several, without the rest of it: `node limits-child.ts REDIS_URL NAME`. A message over the channel
 * says what to ask for, and is answered with how much of it was admitted.
 */
import { Limiter, type Subject } from '../../src/access/limiter.ts'
import { limitsOptions } from '../../src/access/options.ts'
import { Reservation } from '../../src/access/reservation.ts'
import { systemClock } from '../../src/base/clock.ts'
import { SharedState } from '../../src/gateway-shared.ts'
import { noSharing } from '../../src/observe/sharing-metrics.ts'
import { configOf } from './config-of.ts'
import { silentLog } from './silent-log.ts'

export interface Race {
  readonly key: string
  readonly limits: Readonly<Record<string, number>>
  readonly calls: number
  /** Of them, so many wait for their answers at once. */
  readonly atOnce: number
}

export interface Raced {
  readonly admitted: number
  readonly refused: number
  readonly elapsedMs: number
  /** How far this gateway is from the others. */
  readonly isShared: boolean
  readonly gateways: number
}

/** On a busy machine Redis may take its time. */
const patient = { answerMsMax: 20_000, goneAfterMs: 20_000 }
const [url = '', name = ''] = process.argv.slice(2)
const { redis } = configOf({
  hosts: [{ url: 'http://127.0.0.9:1' }],
  storage: { redis: { url, replica: name, ...patient } },
}).storage
if (redis === undefined) throw new Error('no redis in the configuration')
const parts = { version: '0', clock: systemClock, log: silentLog, events: () => noSharing }
const shared = new SharedState(redis, 1, parts)
const lane = shared.limits
const limiter = new Limiter({
  clock: systemClock,
  limits: limitsOptions.parse({}),
  teams: {},
  chance: Math.random,
  lane,
})

function asked(subject: Subject): Promise<boolean> {
  const cost = { requests: 1, input: 1, output: 0 }
  const how = { patience: 0, class: 1, newcomer: true as const, isStill: () => true }
  return new Promise((resolve) => {
    const answered = (answer: unknown) => resolve(answer instanceof Reservation)
    if (limiter.isShared) limiter.askTogether(subject, cost, how, answered)
    else answered(limiter.ask(subject, cost))
  })
}

async function raced({ key, limits, calls, atOnce }: Race): Promise<Raced> {
  const startedAtMs = systemClock.now()
  let left = calls
  let admitted = 0
  const one = async (): Promise<void> => {
    while (left > 0) {
      left -= 1
      if (await asked({ keyId: key, name: key, team: null, limits })) admitted += 1
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  const elapsedMs = systemClock.now() - startedAtMs
  return { admitted, refused: calls - admitted, elapsedMs, isShared: limiter.isShared, gateways: lane.gateways }
}

process.on('message', (race: Race) => void raced(race).then((told) => process.send?.(told)))
await shared.start()
process.stdout.write('started\n')
