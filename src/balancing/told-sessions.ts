/** At which host names of conversations were last, told when one is at another host than before. */
import type { Host } from '../hosts/host.ts'
import type { Sessions } from './sessions.ts'
import { byName, fieldsOf, isName, rowsOf } from './told-rows.ts'

interface Told {
  readonly mark: string
  /** Name and host. */
  readonly rows: readonly (readonly [string, string])[]
}

export interface ToldSessionsParts {
  readonly hosts: () => Iterable<Host>
  readonly sessions: Sessions
  /** By which secret names are made; null while that is not the one of all. */
  readonly mark: () => string | null
}

/** What is beyond is not told. */
export const namesPerBeatMax = 500

export class ToldSessions {
  readonly #parts: ToldSessionsParts
  #fresh = new Map<string, Host>()

  constructor(parts: ToldSessionsParts) {
    this.#parts = parts
    parts.sessions.tellTo((name, host) => {
      if (this.#fresh.size < namesPerBeatMax) this.#fresh.set(name, host)
    })
  }

  tell(): Told | undefined {
    const fresh = this.#fresh
    if (fresh.size === 0) return undefined
    this.#fresh = new Map()
    const mark = this.#parts.mark()
    return mark === null ? undefined : { mark, rows: Array.from(fresh, ([name, host]) => [name, host.name] as const) }
  }

  heard(told: unknown): void {
    const { mark, rows } = fieldsOf(told)
    if (mark !== this.#parts.mark()) return
    const hosts = byName(this.#parts.hosts())
    for (const [name, hostName] of rowsOf(rows)) {
      if (!isName(name) || !isName(hostName)) throw new Error('A row of conversations is none.')
      const host = hosts.get(hostName)
      if (host !== undefined) this.#parts.sessions.heard(name, host)
    }
  }
}
