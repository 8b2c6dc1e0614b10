/** Sends the metrics every so often, and once more at the end. */
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { Clock, Timer } from '../../base/clock.ts'
import { type MetricOrigin, metricBatches } from './metric-data.ts'
import type { MetricsSource } from './otlp.ts'
import type { Reception } from './receiver.ts'

export interface MetricExportParts {
  readonly settings: ConstructorParameters<typeof OTLPMetricExporter>[0]
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
    const { source, origin, clock, reception } = this.#parts
    try {
      for (const batch of metricBatches(await source.families(), origin, () => clock.wallMs()))
        await this.#export(batch)
      reception.taken()
    } catch (error) {
      reception.refused(1, error)
    }
  }

  #export(batch: ResourceMetrics): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#exporter.export(batch, ({ error }) => {
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }
}
