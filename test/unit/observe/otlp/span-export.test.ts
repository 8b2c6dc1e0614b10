import { emptyResource } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { otlpOptions } from '../../../../src/observe/options.ts'
import { exporterSettings, Reception } from '../../../../src/observe/otlp/receiver.ts'
import { SpanExport } from '../../../../src/observe/otlp/span-export.ts'
import { startOtlpReceiver } from '../../../kit/otlp-receiver.ts'
import { outcome } from '../../../kit/scripted-sources.ts'

const trace = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: null,
  sampled: true,
  state: null,
}

test('a receiver that stalls makes nobody wait and nothing grow: beyond a bound spans are dropped and counted', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = null
  const options = { ...otlpOptions.parse({}), endpoint: receiver.url, timeoutMs: 200 }
  const reception = new Reception('traces', () => {})
  const exports = new SpanExport({
    settings: exporterSettings(options, 'traces', 'test'),
    origin: { resource: emptyResource(), version: '1' },
    reception,
  })
  const one = outcome({ trace, attemptsMade: [] })
  const requests = 10_000
  for (let request = 0; request < requests; request++) exports.ended(one)
  const kept = 4_096
  expect(reception.dropped).toBe(requests * 2 - kept)
  // All that is left leaves at once, and comes back.
  await exports.stop()
  expect(reception.dropped).toBe(requests * 2)
})
