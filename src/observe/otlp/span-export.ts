/** Sends the spans of requests in batches, out of a bounded line: a receiver that is slow or gone costs no request anything. */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Outcome } from '../../relay/outcome.ts'
import type { Reception } from './receiver.ts'
import { requestSpans, type SpanOrigin } from './request-spans.ts'

/** Some 2 kB each. */
const spansMax = 4_096
/** So few that making their JSON takes about a millisecond. */
const spansPerBatch = 128
const delayMsMax = 1_000

export interface SpanExportParts {
  readonly settings: ConstructorParameters<typeof OTLPTraceExporter>[0]
  readonly origin: SpanOrigin
  readonly reception: Reception
}

export class SpanExport {
  readonly #origin: SpanOrigin
  readonly #reception: Reception
  readonly #exporter: OTLPTraceExporter
  readonly #processor: BatchSpanProcessor
  /** Waiting or on their way. */
  #pending = 0

  constructor({ settings, origin, reception }: SpanExportParts) {
    this.#origin = origin
    this.#reception = reception
    // At a stop all batches leave at once.
    this.#exporter = new OTLPTraceExporter({ ...settings, concurrencyLimit: spansMax })
    this.#processor = new BatchSpanProcessor({
      exporter: this.#counted(this.#exporter),
      maxQueueSize: spansMax,
      maxExportBatchSize: spansPerBatch,
      scheduledDelayMillis: delayMsMax,
    })
  }

  ended(outcome: Outcome): void {
    const spans = requestSpans(outcome, this.#origin)
    // The processor would drop them too, but tell nobody.
    if (this.#pending + spans.length > spansMax) {
      this.#reception.overflowed(spans.length)
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

  #counted(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        exporter.export(spans, (result) => {
          this.#pending -= spans.length
          if (result.error === undefined) this.#reception.taken()
          else this.#reception.refused(spans.length, result.error)
          done(result)
        })
      },
      shutdown: () => exporter.shutdown(),
    }
  }
}
