/** What sends, made from the options. Everything of OpenTelemetry comes in behind this file, which is loaded only where an endpoint is set. */
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources'
import { randomId } from '../../base/ids.ts'
import { MetricExport } from './metric-export.ts'
import type { OtlpParts } from './parts.ts'
import { exporterSettings, type ReceiverOptions, type Reception } from './receiver.ts'
import { SpanExport } from './span-export.ts'

export interface Exports {
  readonly spans: SpanExport | null
  readonly metrics: MetricExport | null
}

export function makeExports(
  options: ReceiverOptions,
  { version, replica, clock, metrics: source }: OtlpParts,
  receptions: Readonly<Record<'traces' | 'metrics', Reception>>,
): Exports {
  const own = {
    'service.name': options.serviceName,
    'service.version': version,
    'service.instance.id': replica ?? randomId(22),
  }
  const resource = defaultResource().merge(resourceFromAttributes(own))
  const userAgent = `lmx-gateway/${version}`
  const spans = options.traces
    ? new SpanExport({
        settings: exporterSettings(options, 'traces', userAgent),
        origin: { resource, version },
        reception: receptions.traces,
        clock,
      })
    : null
  const metrics =
    options.metrics && source !== null
      ? new MetricExport({
          settings: exporterSettings(options, 'metrics', userAgent),
          origin: { resource, version, startedAtMs: clock.wallMs() },
          reception: receptions.metrics,
          clock,
          everyMs: options.metricsIntervalMs,
          source,
        })
      : null
  return { spans, metrics }
}
