/** The line as it is shown to whoever administers the gateway. */
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { ByteBudget } from './byte-budget.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { Flow } from './flow.ts'
import type { LineHost, LineView } from './line-view-schema.ts'
import { queueState } from './queue-state.ts'
import type { Waiter } from './waiter.ts'

export interface LineParts {
  readonly dispatcher: Dispatcher
  readonly hosts: readonly Host[]
  readonly budget: ByteBudget
}

export interface LineQuestion {
  readonly nowMs: number
  /** Waiting requests that are listed at the most: each costs an estimate. */
  readonly count: number
  /** Name or id of the key whose waiting requests are listed; null for all. */
  readonly key: string | null
  /** The classes of those of these keys that there are, by id. */
  readonly classesOf: (ids: ReadonlySet<string>) => ReadonlyMap<string, RequestClass>
}

export function lineView({ dispatcher, hosts, budget }: LineParts, question: LineQuestion): LineView {
  const { nowMs } = question
  const { lengthMax, lengthMaxPerKey, tokensMax, tokensMaxPerKey, order } = dispatcher.rules
  const waiting = [...dispatcher.waiting()]
  const { depths } = queueState({ waiting, flows: [] }, { nowMs, bytes: budget.held })
  return {
    paused: dispatcher.paused,
    order,
    waiting: dispatcher.length,
    tokens: depths.reduce((sum, { tokens }) => sum + tokens, 0),
    bytes: budget.held,
    bounds: { lengthMax, lengthMaxPerKey, tokensMax, tokensMaxPerKey, bytesMax: budget.bytesMax },
    hosts: hosts.map(lineHost),
    depths: depths.map((depth) => ({ ...depth, oldestMs: Math.round(depth.oldestMs) })),
    keys: keysOf(dispatcher.flows(), question),
    requests: firstOf(waiting, question).map((waiter) => requestOf(waiter, dispatcher, nowMs)),
    estimates: dispatcher.accuracy(),
  }
}

export function lineHost({ name, paused, up, leases, health }: Host): LineHost {
  return { name, paused, up, running: leases.size, slots: health.limit }
}

function keysOf(flows: Iterable<Flow>, { classesOf }: LineQuestion): LineView['keys'] {
  const busy = [...flows].filter(({ idle }) => !idle).toSorted((a, b) => a.counter - b.counter)
  const classes = classesOf(new Set(busy.map(({ id }) => id)))
  const least = busy[0]?.counter ?? 0
  return busy.map(({ id, name, weight, waiting, running, counter }) => ({
    id,
    key: name,
    // Of clients without a key, none is more urgent.
    class: classes.get(id) ?? 'default',
    weight,
    waiting,
    running,
    counter: counter - least,
  }))
}

function firstOf(waiting: readonly Waiter[], { key, count }: LineQuestion): readonly Waiter[] {
  const wanted = key === null ? waiting : waiting.filter(({ flow }) => flow.name === key || flow.id === key)
  return wanted.toSorted((a, b) => a.order - b.order).slice(0, count)
}

function requestOf(waiter: Waiter, dispatcher: Dispatcher, nowMs: number): LineView['requests'][number] {
  const { request, flow, sinceMs, tokens } = waiter
  const { label, route, excluded } = request
  const { position, aheadInKey, keysWaiting, p50Ms, p90Ms } = dispatcher.estimateOf(waiter)
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
    excludedHosts: [...excluded].map(({ name }) => name),
  }
}

function roundedOrNull(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms)
}
