/** Sends the metrics every so often, and once more at the end. */
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import type { Clock, Timer } from '../../base/clock.ts'
import { delivered } from './delivery.ts'
import { type MetricOrigin, metricBatches } from './metric-data.ts'
import type { MetricsSource } from './parts.ts'
import type { ExporterSettings, Reception } from './receiver.ts'

export interface MetricExportParts {
  readonly settings: ExporterSettings
  readonly origin: MetricOrigin
  readonly reception: Reception
  readonly clock: Pick<Clock, 'wallMs' | 'after'>
  readonly everyMs: number
  readonly source: MetricsSource
}

export class MetricExport {
  readonly #parts: MetricExportParts
  readonly #exporter: OTLPMetricExporter
  #timer: Timer | null = null
  #round: Promise<void> = Promise.resolve()

  constructor(parts: MetricExportParts) {
    this.#parts = parts
    this.#exporter = new OTLPMetricExporter(parts.settings)
  }

  start(): void {
    this.#wait()
  }

  /** Sends the last figures; takes as long as the receiver does. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    await this.#round
    await this.#send()
    await this.#exporter.shutdown()
  }

  #wait(): void {
    this.#timer = this.#parts.clock.after(this.#parts.everyMs, () => {
      this.#round = this.#sendAndWait()
    })
  }

  async #sendAndWait(): Promise<void> {
    await this.#send()
    if (this.#timer !== null) this.#wait()
  }

  /** Batch by batch; after one that is not taken the rest would fare no better. */
  async #send(): Promise<void> {
    const { source, origin, clock, reception, settings } = this.#parts
    const time = { clock, msMax: settings.timeoutMillis }
    try {
      for (const batch of metricBatches(await source.families(), origin, () => clock.wallMs()))
        await delivered(this.#exporter, batch, time)
      reception.taken()
    } catch (error) {
      reception.refused(1, error)
    }
  }
}
