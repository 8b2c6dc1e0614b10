/** All waiting requests that the same hosts could take: whether one of them fits a slot is asked once for all. */
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate, Route } from '../hosts/model-catalog.ts'
import type { Flow } from './flow.ts'
import { FlowQueue, type Rank } from './flow-queue.ts'
import { RankHeap } from './rank-heap.ts'

interface OfClass {
  readonly heap: RankHeap
  readonly queues: Map<Flow, FlowQueue>
}

export class Lane {
  readonly id: string
  readonly route: Route
  readonly excluded: ReadonlySet<Host>
  waiting = 0
  /** By the class they came with. */
  readonly waitingOf: Record<RequestClass, number> = { interactive: 0, default: 0, bulk: 0 }
  readonly #rankOf: Rank
  readonly #classes: Readonly<Record<RequestClass, OfClass>> = {
    interactive: { heap: new RankHeap(), queues: new Map() },
    default: { heap: new RankHeap(), queues: new Map() },
    bulk: { heap: new RankHeap(), queues: new Map() },
  }
  #candidates: readonly Candidate[] = []
  /** As of which change of the hosts the candidates are known. */
  #knownAt = -1

  constructor(id: string, { route, excluded, rankOf }: { route: Route; excluded: ReadonlySet<Host>; rankOf: Rank }) {
    this.id = id
    this.route = route
    this.excluded = excluded
    this.#rankOf = rankOf
  }

  /** `change`: a number that is another one whenever hosts may have changed. */
  candidates(change: number): readonly Candidate[] {
    if (this.#knownAt !== change) {
      this.#candidates = this.route.candidates(this.excluded)
      this.#knownAt = change
    }
    return this.#candidates
  }

  takes(host: Host, change: number): boolean {
    return this.candidates(change).some((candidate) => candidate.host === host)
  }

  /** Where the flow's requests of the class wait; made when it is asked for. */
  queueOf(flow: Flow, ofClass: RequestClass): FlowQueue {
    const { heap, queues } = this.#classes[ofClass]
    let queue = queues.get(flow)
    if (queue === undefined) {
      queue = new FlowQueue(flow, ofClass, { lane: this, heap, rankOf: this.#rankOf })
      queues.set(flow, queue)
    }
    return queue
  }

  /** Its last waiter has left. */
  emptied(queue: FlowQueue): void {
    this.#classes[queue.class].queues.delete(queue.flow)
  }

  /** That of the flow which goes next in the class. */
  firstOf(ofClass: RequestClass): FlowQueue | undefined {
    return this.#classes[ofClass].heap.peek()
  }

  /** Of each class all, or so many evenly taken, each with how many it stands for. */
  sample(countMax: number, visit: (queue: FlowQueue, weight: number) => void): void {
    for (const ofClass of requestClasses) this.#classes[ofClass].heap.sample(countMax, visit)
  }

  *queues(): Generator<FlowQueue> {
    for (const ofClass of requestClasses) yield* this.#classes[ofClass].heap
  }
}

/** Requests with the same have the same candidates. */
export function laneId(route: Route, excluded: ReadonlySet<Host>): string {
  if (excluded.size === 0) return route.id
  const without = [...excluded].map(({ name }) => name).toSorted()
  return `${route.id} without ${without.join(' ')}`
}
