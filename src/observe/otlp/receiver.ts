/** The OTLP receiver: how it is reached, and what became of what it was sent. */
import type { Log } from '../../base/log.ts'
import type { OtlpOptions } from '../options.ts'

/** Where an endpoint is set. */
export type ReceiverOptions = OtlpOptions & { readonly endpoint: string }

export type Signal = 'traces' | 'metrics'

/**
 * Exports of one signal that are on their way: at a stop all that is left leaves at once. Those whose answer never ends
 * count until the receiver ends them, so that they cannot become ever more; beyond so many nothing is sent, which is
 * counted and told.
 */
const exportsMax = 128

/** As the exporters of OpenTelemetry take it. */
export interface ExporterSettings {
  readonly url: string
  readonly headers: Record<string, string>
  readonly timeoutMillis: number
  readonly userAgent: string
  readonly concurrencyLimit: number
}

export function exporterSettings(
  { endpoint, headers, timeoutMs }: ReceiverOptions,
  signal: Signal,
  userAgent: string,
): ExporterSettings {
  const url = signalUrl(endpoint, signal)
  return { url, headers: { ...headers }, timeoutMillis: timeoutMs, userAgent, concurrencyLimit: exportsMax }
}

/** The endpoint is a base: what is behind its path says which signal it is. */
export function signalUrl(endpoint: string, signal: Signal): string {
  const url = new URL(endpoint)
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/${signal}`
  return url.href
}

/** Counts what was not taken, and tells of it when that begins and when it ends. */
export class Reception {
  /** Spans, or rounds of metrics. */
  dropped = 0
  #refuses = false
  #overflowed = false
  readonly #signal: Signal
  readonly #log: Log

  constructor(signal: Signal, log: Log) {
    this.#signal = signal
    this.#log = log
  }

  taken(): void {
    if (this.#refuses) this.#log('info', 'The OTLP receiver takes what is sent again', { signal: this.#signal })
    this.#refuses = false
  }

  refused(count: number, error: unknown): void {
    this.dropped += count
    if (this.#refuses) return
    this.#refuses = true
    const fields = { signal: this.#signal, reason: reasonOf(error) }
    this.#log(
      'warn',
      'The OTLP receiver does not take what is sent, which is dropped and counted until it does',
      fields,
    )
  }

  /** More comes than it takes. */
  overflowed(count: number): void {
    this.dropped += count
    if (this.#overflowed) return
    this.#overflowed = true
    const fields = { signal: this.#signal }
    this.#log(
      'warn',
      'The OTLP receiver is slower than what is to be sent, some of which is dropped and counted',
      fields,
    )
  }
}

/** What the receiver itself wrote is not repeated: it may hold what was sent. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const code: unknown = 'code' in error ? error.code : undefined
  if (typeof code === 'number') return `HTTP ${code}`
  return typeof code === 'string' ? code : error.message
}
