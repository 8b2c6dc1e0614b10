/** Gateways that count what they serve of the same hosts, and tell each other when they are made to. */
import type { Host } from '../../../src/hosts/host.ts'
import { Bill } from '../../../src/queue/bill.ts'
import { type Flow, Flows } from '../../../src/queue/flow.ts'
import { ServedElsewhere } from '../../../src/queue/served-elsewhere.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

interface CountingOptions {
  readonly clock?: FakeClock
  readonly idleMax?: number
  readonly hostNames?: readonly string[]
}

export class CountingGateway {
  readonly name: string
  readonly hosts: Host[]
  readonly flows: Flows
  readonly shared: ServedElsewhere
  /** Flows that are to be taken for waiting, for all hosts. */
  readonly waiting = new Set<Flow>()

  constructor(name: string, { clock = new FakeClock(), idleMax = 100, hostNames = ['a', 'b'] }: CountingOptions = {}) {
    this.name = name
    this.hosts = hostNames.map((host) => knownHost(host))
    this.flows = new Flows(idleMax)
    this.shared = new ServedElsewhere({
      clock,
      flows: this.flows,
      hosts: () => this.hosts,
      waiting: () => Array.from(this.waiting, (flow) => ({ flow, lane: { hosts: this.hosts } as never })),
    })
  }

  host(name = 'a'): Host {
    const host = this.hosts.find((one) => one.name === name)
    if (host === undefined) throw new Error(`no host ${name}`)
    return host
  }

  flow(id: string, weight = 1): Flow {
    return this.flows.of({ id, name: id, weight })
  }

  counter(id: string, host = 'a'): number {
    return Math.round([...this.flows].find((flow) => flow.id === id)?.counterAt(this.host(host)) ?? 0)
  }

  /** An attempt begins whose prompt is taken to be so long. */
  grants(id: string, input = 0, host = 'a'): Bill {
    const flow = this.flow(id)
    this.flows.granted(flow, this.host(host))
    return new Bill(flow, { host: this.host(host), expected: { input, output: 0 } })
  }

  ends(bill: Bill): void {
    bill.close()
    this.flows.released(bill.flow)
  }

  /** Has so much of the host for good, and is over: a cost of two for each. */
  serves(id: string, tokens: number, host = 'a'): void {
    const bill = this.grants(id, 0, host)
    bill.generated(tokens)
    this.ends(bill)
  }

  waits(id: string): Flow {
    const flow = this.flow(id)
    flow.waiting = 1
    this.flows.rests(flow)
    this.waiting.add(flow)
    return flow
  }
}

/** What one tells comes to the others as it would over a wire. */
export function beat(from: CountingGateway, ...to: readonly CountingGateway[]): void {
  const told = JSON.stringify(from.shared.tell())
  for (const other of to) other.shared.hear(from.name, JSON.parse(told))
}

/** Each tells all others once. */
export function beatAll(gateways: readonly CountingGateway[]): void {
  for (const one of gateways) beat(one, ...gateways.filter((other) => other !== one))
}

/** That have heard of each other. */
export function fleet(count: number, options: { readonly clock?: FakeClock; readonly idleMax?: number } = {}) {
  const clock = options.clock ?? new FakeClock()
  const gateways = Array.from({ length: count }, (_, at) => new CountingGateway(`g${at + 1}`, { ...options, clock }))
  beatAll(gateways)
  return gateways as [CountingGateway, CountingGateway, ...CountingGateway[]]
}
