/** Shared access on a clock of its own, and what metrics are told of it. */
import { Access, type AccessParts } from '../../../src/access/access.ts'
import type { AccessEvents } from '../../../src/access/events.ts'
import type { KeyRecord } from '../../../src/access/key-record.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { RequestClass } from '../../../src/base/request-class.ts'
import type { TokenCounts } from '../../../src/metering/usage.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

/** What was told, in order: `limitDecided ci requestsPerMinute reject`. */
class ToldLimits implements AccessEvents {
  readonly decisions: string[] = []
  readonly waits: string[] = []
  readonly settled: [model: string, ratio: number][] = []

  limitDecided: AccessEvents['limitDecided'] = (...told) => void this.decisions.push(told.join(' '))
  limitWaitEnded: AccessEvents['limitWaitEnded'] = (...told) => void this.waits.push(told.join(' '))
  reservationSettled: AccessEvents['reservationSettled'] = (...told) => void this.settled.push(told)
}

export interface Asked {
  state: 'waiting' | 'admitted' | 'refused' | 'left'
  error: GatewayError | null
  /** What a host reported; null where nothing was executed. */
  settle(used: TokenCounts | null, reported?: boolean): void
  leave(): void
}

export interface Asking {
  readonly class?: RequestClass
  readonly patienceMs?: number
  /** Of the answer; the prompt is one word. */
  readonly maxOutputTokens?: number
}

type Settings = Partial<AccessParts> & { readonly options?: Parameters<typeof limitsOptions.parse>[0] }

export function accessScene({ options = {}, ...parts }: Settings = {}) {
  const clock = new FakeClock()
  const told = new ToldLimits()
  const access = new Access({
    clock,
    limits: limitsOptions.parse(options),
    teams: {},
    allowAnonymous: true,
    events: told,
    chance: () => 0,
    waitingMax: 10,
    mayWait: () => true,
    hasRoom: () => true,
    onRevoked: () => {},
    ...parts,
  })
  const give = (...keys: readonly KeyRecord[]) => access.apply({ keys, keysEverCreated: true })
  /** With the text of a key, or from an address without one. */
  const ask = (who: { readonly text: string } | string, asking: Asking = {}): Asked => {
    const headers = typeof who === 'string' ? {} : { authorization: `Bearer ${who.text}` }
    const caller = access.callerOf({ headers, target: '/', address: typeof who === 'string' ? who : '192.0.2.1' })
    const asked: Asked = { state: 'waiting', error: null, settle: () => {}, leave: () => {} }
    const { maxOutputTokens = 1, class: ofClass = 'default', patienceMs = 60_000 } = asking
    const bounds = { maxOutputTokens, leastOutputTokens: maxOutputTokens, choices: 1 }
    const body = Buffer.from('{"model":"m","messages":[]}')
    const turn = caller.admit(
      { model: 'm', endpoint: 'chat_completions', body, ...bounds },
      {
        class: ofClass,
        patienceMs,
        admitted: (admission) => {
          asked.state = 'admitted'
          asked.settle = (used, reported = true) => admission.settle(used, { reported, blameless: false })
        },
        refused: (error) => {
          asked.state = 'refused'
          asked.error = error
        },
      },
    )
    asked.leave = () => {
      if (asked.state === 'waiting') asked.state = 'left'
      turn.leave()
    }
    return asked
  }
  return { clock, told, access, give, ask }
}
