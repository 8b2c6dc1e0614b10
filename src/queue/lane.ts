/** All waiting requests that the same hosts could take: whether one of them fits a slot is asked once for all. */
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate, Route } from '../hosts/route.ts'
import type { Flow } from './flow.ts'
import { FlowQueue } from './flow-queue.ts'

export class Lane {
  readonly id: string
  readonly route: Route
  readonly excluded: ReadonlySet<Host>
  /** For which these are one lane. */
  readonly #contexts: string | null
  waiting = 0
  /** By the class they came with. */
  readonly waitingOf: Record<RequestClass, number> = { interactive: 0, default: 0, bulk: 0 }
  /** Of these those that wait for one of its hosts alone. */
  readonly heldOf: Record<RequestClass, number> = { interactive: 0, default: 0, bulk: 0 }
  /** In no order; each flow has one for each class in which it waits. */
  readonly queues: FlowQueue[] = []
  /** Those of its candidates, as they were asked for last. */
  hosts: readonly Host[] = []
  #candidates: readonly Candidate[] = []
  /** As of which change of the hosts the candidates are known. */
  #knownAt = -1

  /** `excluded` as of now: whoever gave it may add to it, which is then another lane. */
  constructor(id: string, route: Route, excluded: ReadonlySet<Host>) {
    this.id = id
    this.route = route
    this.excluded = new Set(excluded)
    this.#contexts = route.contexts ?? null
  }

  /** Hosts have other contexts by now, so that not all of its requests need have the same candidates any more. */
  get isOutdated(): boolean {
    return (this.route.contexts ?? null) !== this.#contexts
  }

  /** `change`: a number that is another one whenever hosts may have changed. */
  candidates(change: number): readonly Candidate[] {
    if (this.#knownAt !== change) {
      this.#candidates = this.route.candidates(this.excluded)
      this.hosts = this.#candidates.map(({ host }) => host)
      this.#knownAt = change
    }
    return this.#candidates
  }

  /** Where the flow's requests of the class wait; made when it is asked for. */
  queueOf(flow: Flow, ofClass: RequestClass): FlowQueue {
    const known = flow.queues.find((queue) => queue.lane === this && queue.class === ofClass)
    if (known !== undefined) return known
    const queue = new FlowQueue(flow, this, ofClass)
    queue.at = this.queues.push(queue) - 1
    flow.queues.push(queue)
    return queue
  }

  /** Its last waiter has left. */
  emptied(queue: FlowQueue): void {
    const { at, flow } = queue
    flow.queues.splice(flow.queues.indexOf(queue), 1)
    const last = this.queues.pop()
    if (last === undefined || last === queue) return
    this.queues[at] = last
    last.at = at
  }

  /** All, or so many evenly taken, each with how many it stands for. */
  sample(countMax: number, visit: (queue: FlowQueue, weight: number) => void): void {
    const weight = Math.max(1, this.queues.length / countMax)
    for (let at = 0; at < this.queues.length; at += weight) {
      const queue = this.queues[Math.floor(at)]
      if (queue !== undefined) visit(queue, weight)
    }
  }
}

/** Requests with the same have the same candidates, as long as hosts have the same contexts. */
export function laneId(route: Route, excluded: ReadonlySet<Host>): string {
  if (excluded.size === 0) return route.id
  const without = [...excluded].map(({ name }) => name).toSorted()
  return `${route.id} without ${without.join(' ')}`
}
