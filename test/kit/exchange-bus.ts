/** Gateways that tell each other what they know of hosts, by beats that a test gives: through JSON, as by the real bus. */
import { type Balancing, makeBalancing } from '../../src/balancing/balancing.ts'
import { type ExchangeBus, exchange } from '../../src/balancing/exchange.ts'
import { type BalancingOptions, balancingOptions } from '../../src/balancing/options.ts'
import type { Host } from '../../src/hosts/host.ts'
import type { FakeClock } from './fake-clock.ts'

export class BusMember implements ExchangeBus {
  readonly id: string
  readonly #fleet: BusFleet
  readonly tellers = new Map<string, () => unknown>()
  readonly hearers = new Map<string, (from: string, told: unknown) => void>()
  readonly came: ((id: string) => void)[] = []
  readonly gone: ((id: string) => void)[] = []
  readonly epoch: (() => void)[] = []

  constructor(id: string, fleet: BusFleet) {
    this.id = id
    this.#fleet = fleet
  }

  get ids(): readonly string[] {
    return [...this.#fleet.members.keys()].toSorted()
  }

  tell(topic: string, teller: () => unknown): void {
    this.tellers.set(topic, teller)
  }

  hear(topic: string, heard: (from: string, told: unknown) => void): void {
    this.hearers.set(topic, heard)
  }

  onCame(listener: (id: string) => void): void {
    this.came.push(listener)
  }

  onGone(listener: (id: string) => void): void {
    this.gone.push(listener)
  }

  onEpoch(listener: () => void): void {
    this.epoch.push(listener)
  }
}

export interface ExchangingGateway {
  readonly id: string
  readonly balancing: Balancing
  readonly hosts: readonly Host[]
}

export class BusFleet {
  readonly #clock: FakeClock
  readonly members = new Map<string, BusMember>()
  secret: string | null = null
  /** Nobody answers for the secret. */
  isSecretAway = false
  /** Characters told by topic. */
  readonly chars = new Map<string, number>()

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  /** `hosts`: its own view of them; `chance` in the middle unless said otherwise. */
  join(
    id: string,
    hosts: readonly Host[],
    { chance = () => 0.5, ...options }: Partial<BalancingOptions> & { chance?: () => number } = {},
  ): ExchangingGateway {
    const balancing = makeBalancing({ ...balancingOptions.parse({}), ...options }, { clock: this.#clock, chance })
    const member = new BusMember(id, this)
    this.members.set(id, member)
    exchange(balancing, {
      bus: member,
      hosts: () => hosts,
      fleetSecret: async (own) => {
        if (this.isSecretAway) throw new Error('no answer')
        this.secret ??= own
        return this.secret
      },
    })
    for (const heard of member.epoch) heard()
    for (const [other, { came }] of this.members) {
      if (other === id) continue
      for (const heard of came) heard(id)
      for (const heard of member.came) heard(other)
    }
    return { id, balancing, hosts }
  }

  leave(id: string): void {
    this.members.delete(id)
    for (const { gone } of this.members.values()) for (const heard of gone) heard(id)
  }

  /** One of each, in turn; of `only` alone where that is given. */
  beat(only?: string): void {
    for (const [id, { tellers }] of this.members) {
      if (only !== undefined && id !== only) continue
      for (const [topic, teller] of tellers) {
        const json = JSON.stringify(teller())
        if (json === undefined) continue
        this.chars.set(topic, (this.chars.get(topic) ?? 0) + json.length)
        for (const [other, { hearers }] of this.members) if (other !== id) hearers.get(topic)?.(id, JSON.parse(json))
      }
    }
  }

  hear(at: string, topic: string, from: string, told: unknown): void {
    this.members.get(at)?.hearers.get(topic)?.(from, told)
  }
}
