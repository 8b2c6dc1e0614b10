/** The gateways of a fleet as operators see them: each tells the others, with its beats, how much it has to do. */
import { isObject } from './message.ts'
import type { Replicas } from './replicas.ts'

export interface ReplicaLoad {
  /** Requests that it has at hosts. */
  readonly running: number
  readonly waiting: number
}

export interface ReplicaView {
  /** Of its process, never twice. */
  readonly id: string
  /** Null of one that came just now, as all that follows. */
  readonly name: string | null
  readonly version: string | null
  /** Wall clock. */
  readonly startedAtMs: number | null
  readonly load: ReplicaLoad | null
  /** Since its last beat reached the store. */
  readonly beatAgeMs: number
  /** The one that says all this. */
  readonly isThis: boolean
}

export interface FleetView {
  readonly isShared: boolean
  /** Wall clock: when that began. */
  readonly sinceMs: number
  /** Why not; null where they are shared. */
  readonly why: string | null
  readonly replicas: readonly ReplicaView[]
}

const countMax = 1e9

/** Of one that stands alone. */
export interface LoneReplica {
  readonly name: string
  readonly version: string
  readonly startedAtMs: number
  readonly load: ReplicaLoad
}

export function loneView(lone: LoneReplica): FleetView {
  const why = 'storage.redis is not set: this gateway stands alone.'
  return {
    isShared: false,
    sinceMs: lone.startedAtMs,
    why,
    replicas: [{ id: 'alone', ...lone, beatAgeMs: 0, isThis: true }],
  }
}

/** Tells and hears what each has to do. */
export class ReplicaLoads {
  readonly #replicas: Replicas
  readonly #own: () => ReplicaLoad
  readonly #heard = new Map<string, ReplicaLoad>()

  constructor(replicas: Replicas, own: () => ReplicaLoad) {
    this.#replicas = replicas
    this.#own = own
    replicas.tell('load', own)
    replicas.hear('load', (from, told) => void this.#heard.set(from, loadOf(told)))
    replicas.onGone((id) => void this.#heard.delete(id))
  }

  view(): FleetView {
    const { id: ownId } = this.#replicas
    const { isShared, sinceMs, why } = this.#replicas.sharing
    const replicas = this.#replicas.all().map(({ id, beatAgeMs, status }): ReplicaView => {
      const isThis = id === ownId
      const load = isThis ? this.#own() : (this.#heard.get(id) ?? null)
      const { name = null, version = null, startedAtMs = null } = status ?? {}
      return { id, name, version, startedAtMs, load, beatAgeMs, isThis }
    })
    return { isShared, sinceMs, why, replicas }
  }
}

/** Throws where it is none. */
function loadOf(told: unknown): ReplicaLoad {
  const { running, waiting } = isObject(told) ? told : {}
  if (!isCount(running) || !isCount(waiting)) throw new Error('The load of a gateway is told otherwise.')
  return { running, waiting }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= countMax
}
