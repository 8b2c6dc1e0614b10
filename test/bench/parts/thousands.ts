/** A gateway that lets thousands come from one address and key, and what it says of how many are there. */
import { setTimeout as pause } from 'node:timers/promises'
import { roomForConnections } from '../../../src/base/open-files.ts'
import { sumOf } from '../../soak/exposition.ts'
import type { Rig, Stub } from '../rig.ts'
import type { Target } from '../targets/target.ts'

const many = 1_000_000
const anHourMs = 3_600_000

/** For `config` of a target: no bound of these is what a part of the benchmark is about. */
export const openToThousands = {
  server: { connectionsMax: many, connectionsPerAddressMax: many },
  queue: { lengthMax: many, lengthMaxPerKey: many, tokensMax: 1e9, tokensMaxPerKey: 1e9, waitMsMax: anHourMs },
  relay: { contentGapMsMax: anHourMs, firstContentMsMax: anHourMs, answerMsMax: anHourMs },
}

/** A few are always there to be seen. */
const amountMin = 20

/** How many of a full measurement's `amount` this one has. */
export function amountOf({ scale }: Pick<Rig, 'scale'>, amount: number): number {
  return Math.max(amountMin, Math.round(amount * Math.min(1, scale)))
}

/** For the listeners of the gateway, and what it is asked meanwhile. */
const connectionsKept = 36

/** Clients that a gateway has room for at once, by the open files that the system lets a process have. */
export function clientsMax(): number {
  return roomForConnections() - connectionsKept
}

/** Of one host, by the configuration. */
const slotsMax = 1_024

export interface Stubs extends AsyncDisposable {
  readonly all: readonly Stub[]
  /** For `config` of a target. */
  readonly hosts: readonly { name: string; url: string; kind: string; slots: number }[]
}

/** As many hosts as it takes to serve so many at once. */
export async function stubsOf(rig: Rig, slots: number): Promise<Stubs> {
  const all: Stub[] = []
  const hosts: { name: string; url: string; kind: string; slots: number }[] = []
  for (let left = slots; left > 0; left -= slotsMax) {
    const stub = await rig.stub()
    all.push(stub)
    hosts.push({ name: `stub-${all.length}`, url: stub.url, kind: 'openai', slots: Math.min(slotsMax, left) })
  }
  const end = async (): Promise<void> => {
    for (const stub of all) await stub[Symbol.asyncDispose]()
  }
  return { all, hosts, [Symbol.asyncDispose]: end }
}

const lookEveryMs = 250
const waitMsMax = 120_000

/** Until the sum of its series is `wanted`. */
export async function waitsFor({ adminUrl }: Target, gauge: string, wanted: number): Promise<void> {
  const until = performance.now() + waitMsMax
  for (;;) {
    const found = sumOf(await metricsOf(adminUrl), gauge)
    if (found === wanted) return
    if (performance.now() > until) throw new Error(`${gauge} is ${found} and not ${wanted}`)
    await pause(lookEveryMs)
  }
}

/** The page that Prometheus reads. */
export async function metricsOf(adminUrl: string | null): Promise<string> {
  if (adminUrl === null) throw new Error('only a gateway has metrics')
  return (await fetch(`${adminUrl}/metrics`)).text()
}
