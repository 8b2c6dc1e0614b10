/**
 * What gateways before the same hosts tell each other of the models there, where hosts cannot hold all at once: so that none puts
 * out what another uses or waits for, and all keep to one load and one turn. All of it is told each time.
 */
import type { Host } from './host.ts'
import type { LoadElsewhere, ModelsAt, ModelTurn } from './models-elsewhere.ts'
import type { ResidencyPlanner } from './residency.ts'

type Counts = readonly (readonly [string, number])[]

/** Host; requests there and requests that wait, by model; model, whether it is alone, and whom it puts out; model and who is out. */
type Row = readonly [
  string,
  Counts,
  Counts,
  readonly [string, boolean, readonly string[]] | null,
  readonly [string, readonly string[] | null] | null,
]

export interface ModelsToldParts {
  /** Of this gateway, among the others. */
  readonly id: string
  readonly hosts: () => Iterable<Host>
  readonly planner: Pick<ResidencyPlanner, 'turns'>
  /** Requests that wait here and could be served with each model of the host. */
  readonly waitingAt: (host: Host) => Iterable<readonly [string, number]>
  /** Something may be given that could not be before, or no more. */
  readonly onChange: () => void
  /** Asks the host anew what it has. */
  readonly probe: (host: Host) => void
}

/** More is a fault of whoever tells it. */
const rowsMax = 10_000

export class ModelsTold {
  readonly #parts: ModelsToldParts
  /** What each has told last of which hosts. */
  readonly #heard = new Map<string, ReadonlyMap<string, string>>()

  constructor(parts: ModelsToldParts) {
    this.#parts = parts
  }

  /** Undefined where no host loads. */
  tell(): readonly Row[] | undefined {
    const hosts = [...this.#parts.hosts()].filter(({ memory }) => memory.loadsBy !== null)
    return hosts.length === 0 ? undefined : hosts.map((host) => this.#rowOf(host)).filter(saysSomething)
  }

  /** Throws where it is not told as it should be. */
  hear(from: string, told: unknown): void {
    if (!Array.isArray(told) || told.length > rowsMax) throw new Error('Models are not told as rows.')
    const rows = new Map(told.filter(isRow).map((row) => [row[0], row]))
    const before = this.#heard.get(from)
    const heard = new Map(Array.from(rows, ([name, row]) => [name, gistOf(row)]))
    this.#heard.set(from, heard)
    let hasChanged = false
    for (const host of this.#parts.hosts()) {
      const row = rows.get(host.name)
      if (host.memory.loadsBy === null || (row === undefined && before?.has(host.name) !== true)) continue
      const wasLoading = host.memory.elsewhere.loading !== null
      host.memory.elsewhere.told(from, row === undefined ? null : modelsOf(row))
      if (wasLoading && host.memory.elsewhere.loading === null) this.#parts.probe(host)
      const first = host.memory.elsewhere.turn?.replica ?? this.#parts.id
      if (first < this.#parts.id) this.#parts.planner.turns.end(host)
      hasChanged ||= heard.get(host.name) !== before?.get(host.name)
    }
    if (hasChanged) this.#parts.onChange()
  }

  gone(replica: string): void {
    if (!this.#heard.delete(replica)) return
    for (const { memory } of this.#parts.hosts()) memory.elsewhere.told(replica, null)
    this.#parts.onChange()
  }

  #rowOf(host: Host): Row {
    const { planner, waitingAt } = this.#parts
    const { loading } = host.memory
    const turn = planner.turns.ownAt(host)
    return [
      host.name,
      [...host.memory.uses()],
      [...waitingAt(host)],
      loading === null ? null : [loading.model, loading.isAlone, loading.evicts],
      turn === null ? null : [turn.model, turn.out === null ? null : [...turn.out]],
    ]
  }
}

function saysSomething([, uses, waits, loading, turn]: Row): boolean {
  return uses.length > 0 || waits.length > 0 || loading !== null || turn !== null
}

/** What decides anything, without how many they are. */
function gistOf([, uses, waits, loading, turn]: Row): string {
  const names = (counts: Counts) => counts.map(([model]) => model).toSorted()
  return JSON.stringify([names(uses), names(waits), loading, turn])
}

function isRow(value: unknown): value is Row {
  if (!Array.isArray(value)) return false
  const [host, uses, waits, loading, turn] = value
  return typeof host === 'string' && areCounts(uses) && areCounts(waits) && isLoad(loading) && isTurn(turn)
}

function areCounts(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every((one) => Array.isArray(one) && typeof one[0] === 'string' && Number.isFinite(one[1]))
  )
}

function isLoad(value: unknown): boolean {
  return (
    value === null ||
    (Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'boolean' && areNames(value[2]))
  )
}

function isTurn(value: unknown): boolean {
  return (
    value === null ||
    (Array.isArray(value) && typeof value[0] === 'string' && (value[1] === null || areNames(value[1])))
  )
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function modelsOf([, uses, waits, loading, turn]: Row): ModelsAt {
  return {
    uses: new Map(uses),
    waits: new Map(waits),
    loading: loading && loadOf(loading),
    turn: turn && turnOf(turn),
  }
}

function loadOf([model, isAlone, evicts]: NonNullable<Row[3]>): LoadElsewhere {
  return { model, isAlone, evicts }
}

function turnOf([model, out]: NonNullable<Row[4]>): ModelTurn {
  return { model, out: out === null ? null : new Set(out) }
}
