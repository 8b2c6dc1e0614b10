/**
 * What gateways before the same hosts tell each other of the models there, where hosts cannot hold all at once: so that none puts
 * out what another uses or waits for, and all keep to one load and one turn. All of it is told each time.
 */
import type { Host } from './host.ts'
import type { LoadElsewhere, ModelsAt, ModelTurn } from './models-elsewhere.ts'
import { type Counts, type ModelsRow, readModelsRow } from './models-row.ts'
import type { ResidencyPlanner } from './residency.ts'

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
const nothing: ReadonlyMap<string, string> = new Map()

export class ModelsTold {
  readonly #parts: ModelsToldParts
  /** What each has told last of which hosts. */
  readonly #heard = new Map<string, ReadonlyMap<string, string>>()

  constructor(parts: ModelsToldParts) {
    this.#parts = parts
  }

  /** Undefined where no host loads. */
  tell(): readonly ModelsRow[] | undefined {
    const hosts = [...this.#parts.hosts()].filter(({ memory }) => memory.loadsBy !== null)
    return hosts.length === 0 ? undefined : hosts.map((host) => this.#rowOf(host)).filter(saysSomething)
  }

  /** Throws where it is not told as rows. */
  hear(from: string, told: unknown): void {
    if (!Array.isArray(told) || told.length > rowsMax) throw new Error('Models are not told as rows.')
    const rows = new Map<string, ModelsRow>()
    for (const one of told) {
      const row = readModelsRow(one)
      if (row !== null) rows.set(row[0], row)
    }
    const before = this.#heard.get(from) ?? nothing
    const heard = new Map(Array.from(rows, ([name, row]) => [name, gistOf(row)]))
    this.#heard.set(from, heard)
    let hasChanged = false
    for (const host of this.#parts.hosts()) {
      const { name } = host
      if (host.memory.loadsBy === null || !(rows.has(name) || before.has(name))) continue
      this.#heardOf(host, from, rows.get(name))
      hasChanged ||= heard.get(name) !== before.get(name)
    }
    if (hasChanged) this.#parts.onChange()
  }

  gone(replica: string): void {
    if (!this.#heard.delete(replica)) return
    for (const { memory } of this.#parts.hosts()) memory.elsewhere.told(replica, null)
    this.#parts.onChange()
  }

  #heardOf(host: Host, from: string, row: ModelsRow | undefined): void {
    const { id, planner, probe } = this.#parts
    const { elsewhere } = host.memory
    const wasLoading = elsewhere.loading !== null
    elsewhere.told(from, row === undefined ? null : modelsOf(row))
    if (wasLoading && elsewhere.loading === null) probe(host)
    if ((elsewhere.turn?.replica ?? id) < id) planner.turns.end(host)
  }

  #rowOf(host: Host): ModelsRow {
    const { planner, waitingAt } = this.#parts
    const { loading } = host.memory
    const turn = planner.turns.ownAt(host)
    return [
      host.name,
      [...host.memory.uses()].map(([model, count]) => [model, count]),
      [...waitingAt(host)].map(([model, count]) => [model, count]),
      loading === null ? null : [loading.model, loading.isAlone, [...loading.evicts]],
      turn === null ? null : [turn.model, turn.out === null ? null : [...turn.out]],
    ]
  }
}

function saysSomething([, uses, waits, loading, turn]: ModelsRow): boolean {
  return uses.length > 0 || waits.length > 0 || loading !== null || turn !== null
}

/** What decides anything, without how many they are. */
function gistOf([, uses, waits, loading, turn]: ModelsRow): string {
  return JSON.stringify([namesOf(uses), namesOf(waits), loading, turn])
}

function namesOf(models: Counts): readonly string[] {
  return models.map(([model]) => model).toSorted()
}

function modelsOf([, uses, waits, loading, turn]: ModelsRow): ModelsAt {
  return {
    uses: new Map(uses),
    waits: new Map(waits),
    loading: loading && loadOf(loading),
    turn: turn && turnOf(turn),
  }
}

function loadOf([model, isAlone, evicts]: NonNullable<ModelsRow[3]>): LoadElsewhere {
  return { model, isAlone, evicts }
}

function turnOf([model, out]: NonNullable<ModelsRow[4]>): ModelTurn {
  return { model, out: out === null ? null : new Set(out) }
}
