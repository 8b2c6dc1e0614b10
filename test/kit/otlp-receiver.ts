/** A receiver of OTLP over HTTP on loopback: keeps what it is sent, as the JSON it came in. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

interface OtlpRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export interface ReceivedSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  /** Empty at the root of a trace. */
  readonly parentSpanId: string
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number
  /** Unix ms. */
  readonly startMs: number
  readonly endMs: number
  /** 0 unset, 2 error. */
  readonly status: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

interface ReceivedPoint {
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  readonly value: number | null
  readonly histogram: {
    readonly bounds: readonly number[]
    readonly counts: readonly number[]
    readonly sum: number
  } | null
  /** Unix ms. */
  readonly startMs: number
  readonly endMs: number
}

export interface ReceivedMetric {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly isCumulative: boolean
  readonly points: readonly ReceivedPoint[]
}

export interface OtlpReceiver {
  readonly url: string
  readonly requests: readonly OtlpRequest[]
  /** Status of the answers from now on; null: none is given; `endless`: it is good, and goes on without an end. */
  answer: number | 'endless' | null
  spans(): readonly ReceivedSpan[]
  metrics(): readonly ReceivedMetric[]
  /** Attributes of what sent. */
  resource(): Readonly<Record<string, string | number | boolean>>
  /** Resolves as soon as so many requests came. */
  once(count: number): Promise<void>
  close(): Promise<void>
}

/** Closed when the test is over. `tls`: its key and certificate. */
export async function startOtlpReceiver(tls?: { key: string; cert: string }): Promise<OtlpReceiver> {
  const requests: OtlpRequest[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      requests.push({ path: incoming.url ?? '', headers: incoming.headers, text: Buffer.concat(chunks).toString() })
      const { answer } = receiver
      if (answer === 'endless') outgoing.writeHead(200).write(' ')
      else if (answer !== null) outgoing.writeHead(answer, { 'content-type': 'application/json' }).end('{}')
      for (const { count, resolve } of waiting) if (requests.length >= count) resolve()
    })
  }
  const server = tls === undefined ? createServer(handle) : createSecureServer(tls, handle)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const receiver: OtlpReceiver = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    answer: 200,
    spans: () => requests.filter(({ path }) => path.endsWith('/v1/traces')).flatMap(({ text }) => spansOf(text)),
    metrics: () => requests.filter(({ path }) => path.endsWith('/v1/metrics')).flatMap(({ text }) => metricsOf(text)),
    resource: () => resourceOf(requests[0]?.text ?? '{}'),
    once: (count) =>
      requests.length >= count
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push({ count, resolve })
          }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  onTestFinished(() => receiver.close())
  return receiver
}

interface KeyValue {
  key: string
  value: { stringValue?: string; intValue?: number; doubleValue?: number; boolValue?: boolean }
}

interface Of {
  resource: { attributes: KeyValue[] }
}

interface TraceRequest {
  resourceSpans: (Of & { scopeSpans: { spans: WireSpan[] }[] })[]
}

interface WireSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId?: string
  kind: number
  startTimeUnixNano: string
  endTimeUnixNano: string
  status: { code?: number }
  attributes: KeyValue[]
}

interface MetricsRequest {
  resourceMetrics: (Of & { scopeMetrics: { metrics: WireMetric[] }[] })[]
}

interface WireMetric {
  name: string
  sum?: { isMonotonic: boolean; aggregationTemporality: number; dataPoints: WirePoint[] }
  gauge?: { dataPoints: WirePoint[] }
  histogram?: { aggregationTemporality: number; dataPoints: WirePoint[] }
}

interface WirePoint {
  attributes: KeyValue[]
  startTimeUnixNano: string
  timeUnixNano: string
  asDouble?: number
  explicitBounds?: number[]
  bucketCounts?: number[]
  sum?: number
}

function spansOf(text: string): ReceivedSpan[] {
  const { resourceSpans } = JSON.parse(text) as TraceRequest
  return resourceSpans
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans)
    .map((span) => ({
      name: span.name,
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId ?? '',
      kind: span.kind,
      startMs: msOf(span.startTimeUnixNano),
      endMs: msOf(span.endTimeUnixNano),
      status: span.status.code ?? 0,
      attributes: attributesOf(span.attributes),
    }))
}

function metricsOf(text: string): ReceivedMetric[] {
  const { resourceMetrics } = JSON.parse(text) as MetricsRequest
  return resourceMetrics
    .flatMap(({ scopeMetrics }) => scopeMetrics)
    .flatMap(({ metrics }) => metrics)
    .map(({ name, sum, gauge, histogram }) => {
      const points = (sum ?? gauge ?? histogram)?.dataPoints ?? []
      return {
        name,
        type: sum?.isMonotonic === true ? 'counter' : histogram === undefined ? 'gauge' : 'histogram',
        isCumulative: (sum ?? histogram)?.aggregationTemporality === 2,
        points: points.map(pointOf),
      }
    })
}

function pointOf(point: WirePoint): ReceivedPoint {
  const { explicitBounds: bounds, bucketCounts: counts, sum = 0 } = point
  return {
    attributes: attributesOf(point.attributes),
    value: point.asDouble ?? null,
    histogram: bounds === undefined || counts === undefined ? null : { bounds, counts, sum },
    startMs: msOf(point.startTimeUnixNano),
    endMs: msOf(point.timeUnixNano),
  }
}

function resourceOf(text: string): Record<string, string | number | boolean> {
  const { resourceSpans, resourceMetrics } = JSON.parse(text) as Partial<TraceRequest & MetricsRequest>
  return attributesOf((resourceSpans ?? resourceMetrics)?.[0]?.resource.attributes ?? [])
}

function attributesOf(pairs: readonly KeyValue[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    pairs.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => [
      key,
      stringValue ?? intValue ?? doubleValue ?? boolValue ?? '',
    ]),
  )
}

function msOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000
}
