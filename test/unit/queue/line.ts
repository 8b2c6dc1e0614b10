/** A line before hosts in a known state, with a way to ask and what became of those who did. */
import { leastBusy } from '../../../src/balancing/least-busy.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog, type Route } from '../../../src/hosts/model-catalog.ts'
import { Dispatcher, type Leave } from '../../../src/queue/dispatcher.ts'
import type { Rejection, WaitOutcome } from '../../../src/queue/events.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

export interface Asker {
  readonly leave: Leave
  lease: Lease | null
  error: GatewayError | null
  busyForMs: number | null
}

interface Asked {
  readonly returning: boolean
  readonly goesLast: boolean
  readonly excluded: readonly Host[]
  readonly route: Route
  readonly patienceMs: number
}

interface LineOptions {
  readonly lengthMax?: number
  readonly waitMsMax?: number
  readonly clock?: FakeClock
}

/** A dispatcher before these hosts, and who asked it. */
export function line(hosts: readonly Host[], { clock = new FakeClock(), ...options }: LineOptions = {}) {
  const waits: WaitOutcome[] = []
  const rejections: Rejection[] = []
  const dispatcher = new Dispatcher(
    { lengthMax: 1_000, waitMsMax: 60_000, ...options },
    {
      clock,
      policy: leastBusy(() => 0.5),
      events: {
        waitEnded: (_model, outcome) => void waits.push(outcome),
        rejected: (_model, reason) => void rejections.push(reason),
      },
    },
  )
  const catalog = new ModelCatalog(hosts, {})
  const granted: Asker[] = []
  const ask = (model = 'm', more: Partial<Asked> = {}): Asker => {
    const asker: Asker & { leave: Leave } = { lease: null, error: null, busyForMs: null, leave: () => {} }
    asker.leave = dispatcher.ask({
      route: more.route ?? catalog.route(model, 'chat_completions'),
      excluded: new Set(more.excluded ?? []),
      returning: more.returning ?? false,
      goesLast: more.goesLast ?? false,
      ...(more.patienceMs === undefined ? {} : { patienceMs: more.patienceMs }),
      granted(lease) {
        asker.lease = lease
        granted.push(asker)
      },
      refused(error, busyForMs) {
        asker.error = error
        asker.busyForMs = busyForMs
      },
    })
    return asker
  }
  return { clock, dispatcher, ask, granted, waits, rejections }
}
