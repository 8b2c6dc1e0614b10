/** The line as it is shown to whoever administers the gateway. */
import type { Clock } from '../base/clock.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Flow } from './flow.ts'
import type { LineHost, LineView } from './line-view-schema.ts'
import { queueState } from './queue-state.ts'
import type { Waiting } from './refusals.ts'
import type { Waiter } from './waiter.ts'

export interface LineParts {
  readonly dispatcher: Dispatcher
  readonly hosts: readonly Host[]
  readonly budget: ByteBudget
  readonly forLimits: WaitingForLimits
}

/** Requests that wait for the limits of their own key or address, and come into the line afterwards. */
interface WaitingForLimits {
  readonly waiting: Waiting
  /** By the id of a key or the network of clients without one, of those of whom any wait. */
  waitingByHolder(): ReadonlyMap<string, number>
}

export interface ShownKey {
  readonly name: string
  readonly class: RequestClass
  readonly weight: number
}

/** An estimate looks at every key that waits. After so long everything else has its turn. */
const turnMsMax = 2

export interface LineQuestion {
  readonly clock: Clock
  /** Waiting requests that are listed at the most, those that came first. */
  readonly count: number
  /** Name or id of the key whose waiting requests are listed; null for all. */
  readonly key: string | null
  /** Those of these keys that there are, by id. */
  readonly keysOf: (ids: ReadonlySet<string>) => ReadonlyMap<string, ShownKey>
}

export async function lineView(parts: LineParts, question: LineQuestion): Promise<LineView> {
  const { dispatcher, hosts, budget, forLimits } = parts
  const { clock } = question
  const requests = await requestsOf(firstOf(dispatcher.waiting(), question), dispatcher, clock)
  const { lengthMax, lengthMaxPerKey, tokensMax, tokensMaxPerKey, order } = dispatcher.rules
  const line = { waiting: dispatcher.waiting(), flows: [], leads: new Map() }
  const { depths } = queueState(line, { nowMs: clock.now(), bytes: budget.held, paused: dispatcher.paused })
  return {
    paused: dispatcher.paused,
    order,
    waiting: dispatcher.length,
    tokens: depths.reduce((sum, { tokens }) => sum + tokens, 0),
    limitWaiting: forLimits.waiting.requests,
    limitTokens: forLimits.waiting.tokens,
    bytes: budget.held,
    bounds: { lengthMax, lengthMaxPerKey, tokensMax, tokensMaxPerKey, bytesMax: budget.bytesMax },
    hosts: hosts.map(lineHost),
    depths: depths.map((depth) => ({ ...depth, oldestMs: Math.round(depth.oldestMs) })),
    keys: keysOf(parts, question),
    requests,
    estimates: dispatcher.accuracy(),
  }
}

export function lineHost({ name, paused, up, leases, health }: Host): LineHost {
  return { name, paused, up, running: leases.size, slots: health.limit }
}

function keysOf({ dispatcher, forLimits }: LineParts, question: LineQuestion): LineView['keys'] {
  const leads = dispatcher.leads()
  const limitWaiting = forLimits.waitingByHolder()
  const flows = new Map<string, Flow>()
  for (const flow of dispatcher.flows()) if (!flow.idle) flows.set(flow.id, flow)
  const ids = new Set([...flows.keys(), ...limitWaiting.keys()])
  const keys = question.keysOf(ids)
  const rows = Array.from(ids, (id) => {
    const flow = flows.get(id)
    const known = keys.get(id) ?? noKey
    const { name: key, weight, waiting, running } = flow ?? { ...known, waiting: 0, running: 0 }
    return {
      id,
      key,
      class: known.class,
      weight,
      waiting,
      limitWaiting: limitWaiting.get(id) ?? 0,
      running,
      counter: flow === undefined ? 0 : (leads.get(flow) ?? 0),
    }
  })
  return rows.toSorted((a, b) => a.counter - b.counter)
}

/** Of clients without a key, none is more urgent. */
const noKey: ShownKey = { name: 'anonymous', class: 'default', weight: 1 }

/** Of a line of any length, without putting all of it in order. */
function firstOf(waiting: Iterable<Waiter>, { key, count }: LineQuestion): readonly Waiter[] {
  let first: Waiter[] = []
  const cut = (): void => {
    first = first.toSorted((a, b) => a.order - b.order).slice(0, count)
  }
  for (const waiter of waiting) {
    const { flow } = waiter
    if (key !== null && flow.name !== key && flow.id !== key) continue
    first.push(waiter)
    if (first.length >= 10 * count) cut()
  }
  cut()
  return first
}

async function requestsOf(waiters: readonly Waiter[], dispatcher: Dispatcher, clock: Clock) {
  const requests: LineView['requests'] = []
  let beganMs = clock.now()
  for (const waiter of waiters) {
    if (clock.now() - beganMs >= turnMsMax) {
      await new Promise<void>((resolve) => void clock.afterTurn(resolve))
      beganMs = clock.now()
    }
    if (waiter.isWaiting) requests.push(requestOf(waiter, dispatcher, clock.now()))
  }
  return requests
}

function requestOf(waiter: Waiter, dispatcher: Dispatcher, nowMs: number): LineView['requests'][number] {
  const { request, flow, sinceMs, tokens } = waiter
  const { label, route, excluded } = request
  const { position, aheadInKey, keysWaiting, p50Ms, p90Ms, load } = dispatcher.estimateOf(waiter)
  return {
    id: label?.id ?? '',
    requestId: label?.requestId ?? '',
    key: flow.name,
    class: request.class,
    model: route.model,
    endpoint: label?.endpoint ?? '',
    waitedMs: Math.round(nowMs - sinceMs),
    tokens,
    position,
    aheadInKey,
    keysWaiting,
    p50Ms: roundedOrNull(p50Ms),
    p90Ms: roundedOrNull(p90Ms),
    load: load && { ...load, forMs: roundedOrNull(load.forMs), expectedMs: roundedOrNull(load.expectedMs) },
    excludedHosts: [...excluded].map(({ name }) => name),
    heldFor: waiter.heldFor?.name ?? null,
  }
}

function roundedOrNull(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms)
}
