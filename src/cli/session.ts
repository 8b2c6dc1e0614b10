/** One life of the gateway: starts it, tells the operator what it found, waits for the wish to stop, drains. */
import type { Log } from '../base/log.ts'
import type { ResolvedConfig } from '../config/schema.ts'
import type { Gateway, Started } from '../gateway.ts'
import type { Io } from './command.ts'
import { failureLine } from './failure.ts'
import { accessText, hostsText, listeningText } from './screen.ts'
import type { StopRequests } from './stop-requests.ts'

/** Faults that nobody caught; `process` is one. */
interface FaultSource {
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown
  off(event: 'uncaughtException', listener: (error: unknown) => void): unknown
}

export interface SessionParts {
  readonly gateway: Gateway
  /** Of the start. */
  readonly config: ResolvedConfig
  /** As it is now. */
  readonly inForce: () => ResolvedConfig
  readonly version: string
  readonly io: Io
  readonly log: Log
  /** A wish from before the start counts as soon as the gateway listens. */
  readonly stop: StopRequests
  readonly process: FaultSource
  /** Called once when the gateway listens. */
  readonly onListening?: () => void
}

/** Resolves with the exit code: 0 after a stop that was asked for, 1 after a fault; rejects when it could not start. */
export async function runSession(parts: SessionParts): Promise<number> {
  const { stop } = parts
  const faults = new Faults(parts.process, parts.log)
  try {
    const started = await parts.gateway.start()
    parts.io.out(listeningText(parts.version, started, parts.config))
    parts.io.out(accessText({ ...started, storePath: parts.config.storage.path }))
    parts.onListening?.()
    const stopped = Promise.race([stop.drain, faults.first])
    void reportHosts(parts, started, stopped).catch(faults.add)
    await stopped
    await drain(parts, stop, faults)
    return faults.seen ? 1 : 0
  } finally {
    faults.close()
  }
}

async function reportHosts(parts: SessionParts, started: Started, stopped: Promise<void>): Promise<void> {
  const hosts = await Promise.race([parts.gateway.firstProbes(), stopped])
  if (hosts === undefined) return
  parts.io.out(hostsText(hosts, started, parts.config.probe.everyMs, !started.isAnonymous))
}

async function drain(parts: SessionParts, stop: StopRequests, faults: Faults): Promise<void> {
  const { gateway, inForce, io } = parts
  const { shutdownDelayMs, drainMsMax } = inForce().server
  const patienceMs = shutdownDelayMs + drainMsMax
  io.out(`Stopping; running requests may finish for ${patienceMs / 1_000} s. Press Ctrl-C again to end them now.`)
  const drained = gateway.stop()
  const cut = stop.now.then(() => gateway.stop({ now: true }))
  await Promise.race([drained, cut, stop.atOnce]).catch(faults.add)
}

/** After a fault the state of the program is unknown: it may finish what it has, but takes nothing new. */
class Faults {
  readonly first: Promise<void>
  seen = false
  readonly #source: FaultSource
  readonly #log: Log
  #resolve: () => void = () => {}

  constructor(source: FaultSource, log: Log) {
    this.#source = source
    this.#log = log
    this.first = new Promise((resolve) => {
      this.#resolve = resolve
    })
    // Node hands rejections that nobody handles to this event too.
    source.on('uncaughtException', this.add)
  }

  readonly add = (error: unknown): void => {
    this.seen = true
    this.#log('error', 'A fault of the gateway itself; it stops', { fault: failureLine(error) })
    this.#resolve()
  }

  close(): void {
    this.#source.off('uncaughtException', this.add)
  }
}
