import { emptyResource } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../../src/base/clock.ts'
import { otlpOptions } from '../../../../src/observe/options.ts'
import { exporterSettings, Reception } from '../../../../src/observe/otlp/receiver.ts'
import { SpanExport } from '../../../../src/observe/otlp/span-export.ts'
import { FakeClock } from '../../../kit/fake-clock.ts'
import { startOtlpReceiver } from '../../../kit/otlp-receiver.ts'
import { outcome } from '../../../kit/scripted-sources.ts'

const trace = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
  parentSpanId: null,
  sampled: true,
  state: null,
}

function spanExport(url: string, clock: Pick<Clock, 'after'>, timeoutMs: number) {
  const reception = new Reception('traces', () => {})
  const exports = new SpanExport({
    settings: exporterSettings({ ...otlpOptions.parse({}), endpoint: url, timeoutMs }, 'traces', 'test'),
    origin: { resource: emptyResource(), version: '1' },
    reception,
    clock,
  })
  return { exports, reception }
}

/** Has two spans. */
const one = outcome({ trace, attemptsMade: [] })

test('an answer without an end is waited for as long as may be, and what is next is sent', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = 'endless'
  const clock = new FakeClock()
  const { exports, reception } = spanExport(receiver.url, clock, 600_000)
  const spansPerBatch = 64
  const endBatch = () => {
    for (let request = 0; request < spansPerBatch / 2; request++) exports.ended(one)
  }
  endBatch()
  await receiver.once(1)
  await clock.advance(599_999)
  expect(reception.dropped).toBe(0)
  await clock.advance(1)
  expect(reception.dropped).toBe(spansPerBatch)
  receiver.answer = 200
  endBatch()
  await receiver.once(2)
  expect(receiver.spans()).toHaveLength(2 * spansPerBatch)
})

test('a receiver that stalls makes nobody wait and nothing grow: beyond a bound spans are dropped and counted', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = null
  const { exports, reception } = spanExport(receiver.url, systemClock, 200)
  const requests = 10_000
  for (let request = 0; request < requests; request++) exports.ended(one)
  const kept = 4_096
  expect(reception.dropped).toBe(requests * 2 - kept)
  // All that is left leaves at once, and comes back.
  await exports.stop()
  expect(reception.dropped).toBe(requests * 2)
})
