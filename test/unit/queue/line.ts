/** A line before hosts in a known state, with a way to ask and what became of those who did. */

import type { z } from 'zod'
import type { Balancer } from '../../../src/balancing/balancer.ts'
import type { BalancingEvents } from '../../../src/balancing/events.ts'
import type { Prompt } from '../../../src/balancing/prompt.ts'
import type { GatewayError } from '../../../src/base/errors.ts'
import type { RequestClass } from '../../../src/base/request-class.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import type { Route } from '../../../src/hosts/route.ts'
import { Dispatcher, type DispatcherParts } from '../../../src/queue/dispatcher.ts'
import type { AnnouncedWait, Rejection, WaitOutcome } from '../../../src/queue/events.ts'
import type { Holder } from '../../../src/queue/flow.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import type { Place, Turn } from '../../../src/queue/slot-request.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

export interface Asker {
  readonly turn: Turn
  lease: Lease | null
  error: GatewayError | null
  busyForMs: number | null
}

interface Asked {
  readonly place: Place
  readonly excluded: readonly Host[]
  readonly route: Route
  readonly patienceMs: number
  readonly class: RequestClass
  /** Of the key. */
  readonly key: string
  readonly weight: number
  readonly tokens: { readonly input: number; readonly output: number }
  readonly giveBack: () => boolean
  readonly prompt: Prompt
  readonly storeWaitMs: number
}

export type LineOptions = Omit<z.input<typeof queueOptions>, 'bytesMax'> &
  Partial<Pick<DispatcherParts, 'noWaiting' | 'costs' | 'sharing' | 'planner'>> & {
    readonly clock?: FakeClock
    readonly balancer?: Balancer
    readonly decisions?: BalancingEvents
  }

/** A dispatcher before these hosts, and who asked it. */
export function line(
  hosts: readonly Host[],
  {
    clock = new FakeClock(),
    balancer = balancerOf({ clock }),
    decisions,
    noWaiting,
    costs,
    sharing,
    planner,
    ...options
  }: LineOptions = {},
) {
  const waits: WaitOutcome[] = []
  const rejections: Rejection[] = []
  const announced: AnnouncedWait[] = []
  let gaveBack = 0
  const dispatcher = new Dispatcher(queueOptions.parse({ lengthMax: 1_000, lengthMaxPerKey: 1_000, ...options }), {
    clock,
    balancer,
    ...(decisions === undefined ? {} : { decisions }),
    events: {
      waitEnded: (_wait, outcome) => void waits.push(outcome),
      rejected: (_model, reason) => void rejections.push(reason),
      estimateTold: (wait) => void announced.push(wait),
      gaveBack: () => void gaveBack++,
    },
    ...(noWaiting === undefined ? {} : { noWaiting }),
    ...(costs === undefined ? {} : { costs }),
    ...(sharing === undefined ? {} : { sharing }),
    ...(planner === undefined ? {} : { planner }),
  })
  const catalog = new ModelCatalog(hosts, {})
  const granted: Asker[] = []
  const ask = (model = 'm', more: Partial<Asked> = {}): Asker => {
    const { key = 'alice', weight = 1 } = more
    const holder: Holder = { id: key, name: key, weight }
    const asker: Asker & { turn: Turn } = { lease: null, error: null, busyForMs: null, turn: noTurn }
    asker.turn = dispatcher.ask({
      route: more.route ?? catalog.route(model, 'chat_completions'),
      excluded: new Set(more.excluded ?? []),
      holder,
      class: more.class ?? 'default',
      tokens: more.tokens ?? { input: 0, output: 0 },
      place: more.place ?? 'newcomer',
      ...(more.patienceMs === undefined ? {} : { patienceMs: more.patienceMs }),
      ...(more.giveBack === undefined ? {} : { giveBack: more.giveBack }),
      ...(more.prompt === undefined ? {} : { prompt: more.prompt }),
      ...(more.storeWaitMs === undefined ? {} : { storeWaitMs: more.storeWaitMs }),
      granted(lease) {
        // How long it is held tells how long others will be, as of any answer that came whole.
        if (more.giveBack === undefined) lease.succeeded()
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
  return { clock, dispatcher, ask, granted, waits, rejections, announced, gaveBack: () => gaveBack }
}

const noTurn: Turn = { leave: () => {}, estimate: () => null }
