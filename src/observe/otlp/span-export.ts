/** Sends the spans of requests in batches, out of a bounded line: a receiver that is slow or gone costs no request anything. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Clock } from '../../base/clock.ts'
import type { Outcome } from '../../relay/outcome.ts'
import { delivered } from './delivery.ts'
import type { ExporterSettings, Reception } from './receiver.ts'
import { requestSpans, type SpanOrigin } from './request-spans.ts'

/** Some 2 kB each. */
const spansMax = 4_096
/** So few that making their JSON takes about a millisecond. */
const spansPerBatch = 64
const delayMsMax = 1_000

export interface SpanExportParts {
  readonly settings: ExporterSettings
  readonly origin: SpanOrigin
  readonly reception: Reception
  readonly clock: Pick<Clock, 'after'>
}

export class SpanExport {
  readonly #parts: SpanExportParts
  readonly #exporter: OTLPTraceExporter
  readonly #processor: BatchSpanProcessor
  /** Waiting or on their way. */
  #pending = 0

  constructor(parts: SpanExportParts) {
    this.#parts = parts
    this.#exporter = new OTLPTraceExporter(parts.settings)
    this.#processor = new BatchSpanProcessor({
      exporter: this.#countedExporter(),
      maxQueueSize: spansMax,
      maxExportBatchSize: spansPerBatch,
      scheduledDelayMillis: delayMsMax,
    })
  }

  ended(outcome: Outcome): void {
    const { origin, reception } = this.#parts
    const spans = requestSpans(outcome, origin)
    // The processor would drop them too, but tell nobody.
    if (this.#pending + spans.length > spansMax) {
      reception.overflowed(spans.length)
      return
    }
    this.#pending += spans.length
    for (const span of spans) this.#processor.onEnd(span)
  }

  /** Sends what is left; takes as long as the receiver does. */
  async stop(): Promise<void> {
    // It rejects with the first batch that is not taken; the others are waited for all the same, and counted.
    await this.#processor.shutdown().catch(() => {})
    await this.#exporter.shutdown()
  }

  #countedExporter(): SpanExporter {
    return {
      export: (spans, done) => void this.#send(spans, done),
      shutdown: () => this.#exporter.shutdown(),
    }
  }

  async #send(spans: ReadableSpan[], done: (result: { code: 0 | 1 }) => void): Promise<void> {
    const { reception, clock, settings } = this.#parts
    let isTaken = true
    try {
      await delivered(this.#exporter, spans, { clock, msMax: settings.timeoutMillis })
      reception.taken()
    } catch (error) {
      isTaken = false
      reception.refused(spans.length, error)
    }
    this.#pending -= spans.length
    done({ code: isTaken ? 0 : 1 })
  }
}
