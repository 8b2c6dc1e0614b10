/** A link to a Redis, with what it tells: held by a test as a gateway holds it. */
import { onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import type { CallOutcome } from '../../src/stores/redis/events.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import { Script } from '../../src/stores/redis/script.ts'
import { type ConfigInput, configOf } from '../kit/config-of.ts'
import type { LogLine } from '../kit/gateway-under-test.ts'
import { eventually } from '../kit/within.ts'

type RedisInput = NonNullable<NonNullable<ConfigInput['storage']>['redis']>

export interface HeldLink {
  readonly link: RedisLink
  readonly log: readonly LogLine[]
  readonly calls: readonly { operation: string; outcome: CallOutcome; ms: number }[]
  /** Each change: null where it came up, else the problem. */
  readonly changes: readonly (string | null)[]
  /** Of the lines of the log, in their order. */
  readonly problems: () => string[]
  readonly isUp: () => Promise<void>
  /** Until this was told. */
  readonly told: (problem: RegExp) => Promise<void>
  /** Adds to a number; the new one. */
  readonly add: (number: number, late?: (sum: number) => void) => Promise<number>
}

/** For tests of other things: a busy machine may take its time. */
const patient = { answerMsMax: 5_000, connectMsMax: 10_000 }

/** Two keys, so that a cluster must have both at one place. */
const addScript = new Script(
  'add',
  `
redis.call('SET', KEYS[3], ARGV[1])
return redis.call('INCRBY', KEYS[2], ARGV[1])
`,
  (reply) => Number(reply),
)

/** Not started yet. */
export function heldLink(input: RedisInput): HeldLink {
  const options = configOf({ hosts: [{ url: 'http://127.0.0.9:1' }], storage: { redis: { ...patient, ...input } } })
    .storage.redis
  if (options === undefined) throw new Error('no redis in the configuration')
  const log: LogLine[] = []
  const calls: HeldLink['calls'][number][] = []
  const changes: (string | null)[] = []
  const link = new RedisLink(options, {
    clock: systemClock,
    log: (level, message, fields = {}) => void log.push({ level, message, fields }),
    chance: Math.random,
    events: {
      called: (operation, outcome, ms) => void calls.push({ operation, outcome, ms }),
      up: (_isUp, problem) => void changes.push(problem),
    },
  })
  onTestFinished(() => link.close())
  const problems = () => log.flatMap(({ fields: { problem } }) => (typeof problem === 'string' ? [problem] : []))
  return {
    link,
    log,
    calls,
    changes,
    problems,
    isUp: () => eventually(20_000, 'Redis to be there', () => link.isUp),
    told: (wanted) =>
      eventually(20_000, `a line of the log like ${wanted}`, () => problems().some((text) => wanted.test(text))),
    add: (number, late) =>
      link.run(
        addScript,
        ['epoch', 'sum', 'last'].map((name) => link.key(name)),
        [number],
        late === undefined ? {} : { late },
      ),
  }
}

export async function startedLink(input: RedisInput): Promise<HeldLink> {
  const held = heldLink(input)
  await held.link.start()
  await held.isUp()
  return held
}
