/** Traces and metrics for an OpenTelemetry receiver, by OTLP over HTTP. */
import type { Outcome } from '../../relay/outcome.ts'
import { isRefusedAtDoor } from '../access-log.ts'
import type { OtlpOptions } from '../options.ts'
import type { Exports } from './exports.ts'
import type { OtlpParts } from './parts.ts'
import { type ReceiverOptions, Reception, type Signal } from './receiver.ts'

/** Null where no endpoint is set. */
export function makeOtlp({ endpoint, ...options }: OtlpOptions, parts: OtlpParts): Otlp | null {
  return endpoint === undefined ? null : new Otlp({ ...options, endpoint }, parts)
}

export class Otlp {
  readonly #options: ReceiverOptions
  readonly #parts: OtlpParts
  readonly #receptions: Readonly<Record<Signal, Reception>>
  #exports: Exports | null = null

  constructor(options: ReceiverOptions, parts: OtlpParts) {
    this.#options = options
    this.#parts = parts
    this.#receptions = { traces: new Reception('traces', parts.log), metrics: new Reception('metrics', parts.log) }
  }

  /** Loads what sends; nothing is sent before `start`. */
  async load(): Promise<void> {
    const { makeExports } = await import('./exports.ts')
    this.#exports = makeExports(this.#options, this.#parts, this.#receptions)
  }

  /** Once the gateway is open; the receiver need not be there. */
  start(): void {
    this.#exports?.metrics?.start()
  }

  /** Of what is refused at the door there is no end, and its sender alone would decide that it is recorded: the log counts it. */
  requestEnded(outcome: Outcome): void {
    if (!isRefusedAtDoor(outcome)) this.#exports?.spans?.ended(outcome)
  }

  /** Spans, and rounds of metrics, that the receiver did not take. */
  dropped(): Readonly<Record<Signal, number>> {
    const { traces, metrics } = this.#receptions
    return { traces: traces.dropped, metrics: metrics.dropped }
  }

  /** Sends what is left, as far as the receiver takes it in time. */
  async stop(msMax: number): Promise<void> {
    const sent = Promise.all([this.#exports?.spans?.stop(), this.#exports?.metrics?.stop()])
    const late = new Promise<void>((resolve) => {
      this.#parts.clock.after(msMax, resolve)
    })
    await Promise.race([sent, late])
  }
}
