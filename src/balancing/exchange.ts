/** What gateways before the same hosts tell each other of these with each beat: work, prompts, conversations, speeds. */
import type { Host } from '../hosts/host.ts'
import type { Balancing } from './balancing.ts'
import { LearnedSpeeds } from './learned-speeds.ts'
import { PrefixMemory } from './prefix-memory.ts'
import { ToldPrefixes } from './told-prefixes.ts'
import { ToldSessions } from './told-sessions.ts'

/** How gateways reach each other. */
export interface ExchangeBus {
  readonly id: string
  /** Of all that live, in an order that is the same for all of them. */
  readonly ids: readonly string[]
  tell(topic: string, teller: () => unknown): void
  hear(topic: string, heard: (from: string, told: unknown) => void): void
  onCame(listener: (id: string) => void): void
  onGone(listener: (id: string) => void): void
  onEpoch(listener: () => void): void
}

export interface ExchangeParts {
  readonly bus: ExchangeBus
  readonly hosts: () => Iterable<Host>
  /**
   * The secret by which all of them make digests of prompts: the one that is kept, else `own`, which is kept then. Rejects
   * where nobody can tell.
   */
  readonly fleetSecret: (own: string) => Promise<string>
}

/** Speeds are learned over many answers: they are told with each of so many beats, which is every 5 s. */
const beatsOfSpeeds = 25

export function exchange(balancing: Balancing, parts: ExchangeParts): void {
  exchangeWork(balancing, parts)
  exchangePrompts(balancing, parts)
  exchangeSpeeds(balancing, parts)
}

function exchangeWork({ balancer }: Balancing, { bus, hosts }: ExchangeParts): void {
  const work = balancer.shareWork(hosts)
  bus.tell('work', () => work.tell())
  bus.hear('work', (from, told) => work.heard(from, told))
  bus.onGone((id) => work.gone(id))
  bus.onCame(() => work.tellAllNext())
  bus.onEpoch(() => work.tellAllNext())
}

function exchangePrompts({ balancer, prefixes, prompts }: Balancing, parts: ExchangeParts): void {
  const { bus, hosts } = parts
  const secret = new FleetSecret(prompts, parts)
  const mark = (): string | null => secret.mark
  const { sessions } = balancer
  const toldSessions = new ToldSessions({ hosts, sessions, mark })
  bus.tell('sessions', () => toldSessions.tell())
  bus.hear('sessions', (_from, told) => toldSessions.heard(told))
  bus.onEpoch(() => void secret.ask())
  if (!(prefixes instanceof PrefixMemory)) return
  const toldPrefixes = new ToldPrefixes({ hosts, prefixes, mark })
  bus.tell('prefixes', () => {
    secret.askAgain()
    return toldPrefixes.tell()
  })
  bus.hear('prefixes', (_from, told) => toldPrefixes.heard(told))
  // One of those that were there before is enough, and all know which.
  bus.onCame((came) => {
    if (bus.ids.find((id) => id !== came) === bus.id) toldPrefixes.seed()
  })
}

function exchangeSpeeds({ speeds }: Balancing, { bus, hosts }: ExchangeParts): void {
  if (!(speeds instanceof LearnedSpeeds)) return
  const elsewhere = speeds.heeds(hosts)
  let beats = 0
  bus.tell('speeds', () => (beats++ % beatsOfSpeeds === 0 ? speeds.told() : undefined))
  bus.hear('speeds', (from, told) => elsewhere.heard(from, told))
  bus.onCame(() => {
    beats = 0
  })
}

/** Prompts are told of only once all make digests of them by one secret. */
class FleetSecret {
  readonly #prompts: Balancing['prompts']
  readonly #parts: ExchangeParts
  #state: 'unknown' | 'asked' | 'known' = 'unknown'
  #mark = ''

  constructor(prompts: Balancing['prompts'], parts: ExchangeParts) {
    this.#prompts = prompts
    this.#parts = parts
  }

  /** Null while it is not known. */
  get mark(): string | null {
    return this.#state === 'known' ? this.#mark : null
  }

  /** Where it was kept it may be gone: then the one that is used here is kept. */
  async ask(): Promise<void> {
    if (this.#state === 'asked') return
    this.#state = 'asked'
    try {
      this.#prompts.adopt(await this.#parts.fleetSecret(this.#prompts.secret))
      this.#mark = this.#prompts.mark
      this.#state = 'known'
    } catch {
      // With the next beat.
      this.#state = 'unknown'
    }
  }

  /** Where there was no answer. */
  askAgain(): void {
    if (this.#state === 'unknown') void this.ask()
  }
}
