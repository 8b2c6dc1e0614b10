/** The end of a gateway: newcomers are refused, the others are served for a while, then all is closed in order. */
import type { Clock } from './base/clock.ts'
import { GatewayError } from './base/errors.ts'
import type { Ledger } from './metering/ledger.ts'
import type { Otlp } from './observe/otlp/otlp.ts'
import type { Dispatcher } from './queue/dispatcher.ts'
import type { Relay } from './relay/relay.ts'

interface Closable {
  close(): Promise<void>
}

interface Stoppable {
  stop(): void
}

export interface DrainParts {
  readonly clock: Clock
  readonly shutdownDelayMs: number
  readonly drainMsMax: number
  readonly relay: Relay
  readonly dispatcher: Dispatcher
  /** What works beside requests, and is stopped once those are over. */
  readonly works: readonly Stoppable[]
  /** What still takes connections or makes some; closed before the hosts are. */
  readonly doors: readonly Closable[]
  readonly fleet: Closable
  readonly ledger: Ledger
  readonly otlp: Otlp | null
  /** What is shared with other gateways; null where there are none. */
  readonly shared: Closable | null
  readonly store: Closable
}

/** At the end, for what the ledger has yet to write and a receiver of traces has yet to take. */
const flushMsMax = 2_000

/** `endNow`: resolves when running requests are to end at once, honestly. */
export async function drain(parts: DrainParts, endNow: Promise<void>): Promise<void> {
  const { clock, shutdownDelayMs, drainMsMax, relay, dispatcher, ledger, otlp } = parts
  const after = (delayMs: number): Promise<void> =>
    new Promise((resolve) => {
      clock.after(delayMs, resolve)
    })
  const shuttingDown = new GatewayError('gateway_shutting_down', 'The gateway is stopping.')
  if (shutdownDelayMs > 0) await Promise.race([after(shutdownDelayMs), endNow])
  relay.refuseNewcomers(shuttingDown)
  // Whoever waits in a line that gives nothing to anybody would wait in vain.
  if (dispatcher.paused) dispatcher.close(shuttingDown)
  await Promise.race([relay.idle(), after(drainMsMax), endNow])
  relay.endAll(shuttingDown)
  for (const work of parts.works) work.stop()
  await Promise.all(parts.doors.map((door) => door.close()))
  await parts.fleet.close()
  await Promise.all([ledger.flush(flushMsMax), otlp?.stop(flushMsMax)])
  await parts.shared?.close()
  await parts.store.close()
}
