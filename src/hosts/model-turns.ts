/** Whose turn it is at hosts that cannot hold all models at once: of this gateway, and of others before the same hosts. */
import type { Host } from './host.ts'
import type { ModelTurn } from './models-elsewhere.ts'

export class ModelTurns {
  readonly #own = new Map<Host, ModelTurn>()

  at(host: Host): ModelTurn | null {
    return this.#own.get(host) ?? host.memory.elsewhere.turn?.turn ?? null
  }

  /** The one that this gateway has begun. */
  ownAt(host: Host): ModelTurn | null {
    return this.#own.get(host) ?? null
  }

  /** Those that this gateway has begun. */
  own(): Iterable<[Host, ModelTurn]> {
    return this.#own
  }

  /** Nothing new is to be begun with the model. */
  isOut(host: Host, model: string): boolean {
    const turn = this.at(host)
    return turn !== null && turn.model !== model && turn.out?.has(model) !== false
  }

  begin(host: Host, turn: ModelTurn): void {
    this.#own.set(host, turn)
  }

  end(host: Host): void {
    this.#own.delete(host)
  }
}
