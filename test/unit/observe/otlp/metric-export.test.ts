import { emptyResource } from '@opentelemetry/resources'
import { expect, test } from 'vitest'
import { otlpOptions } from '../../../../src/observe/options.ts'
import { MetricExport } from '../../../../src/observe/otlp/metric-export.ts'
import { exporterSettings, Reception } from '../../../../src/observe/otlp/receiver.ts'
import { Family } from '../../../../src/observe/series.ts'
import { FakeClock } from '../../../kit/fake-clock.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../../../kit/otlp-receiver.ts'

const everyMs = 1_000
const timeoutMs = 600_000

/** One series, sent every second of a clock that a test moves; `lines`: levels of the log lines about it. */
function metricExport(receiver: OtlpReceiver) {
  const clock = new FakeClock()
  const lines: string[] = []
  const reception = new Reception('metrics', (level) => void lines.push(level))
  const family = new Family('a', { type: 'gauge', labels: [], help: 'A number.' })
  family.add('', {})
  const settings = exporterSettings({ ...otlpOptions.parse({}), endpoint: receiver.url, timeoutMs }, 'metrics', 'test')
  const exports = new MetricExport({
    settings,
    origin: { resource: emptyResource(), version: '1', startedAtMs: clock.wallMs() },
    reception,
    clock,
    everyMs,
    source: { families: () => Promise.resolve([family]) },
  })
  exports.start()
  return { clock, reception, lines }
}

test('an answer without an end is waited for as long as may be, counted as refused, and what is next is sent', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = 'endless'
  const { clock, reception, lines } = metricExport(receiver)
  await clock.advance(everyMs)
  await receiver.once(1)
  await clock.advance(timeoutMs - 1)
  expect(reception.dropped).toBe(0)
  await clock.advance(1)
  expect(reception.dropped).toBe(1)
  receiver.answer = 200
  await clock.advance(everyMs)
  await receiver.once(2)
  await expect.poll(() => lines).toEqual(['warn', 'info'])
  expect(reception.dropped).toBe(1)
})

test('answers without an end do not become ever more: beyond a bound nothing is sent, and that is counted', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = 'endless'
  const { clock, reception } = metricExport(receiver)
  const exportsMax = 128
  for (let round = 1; round <= exportsMax; round++) {
    await clock.advance(everyMs)
    await receiver.once(round)
    await clock.advance(timeoutMs)
  }
  expect(reception.dropped).toBe(exportsMax)
  await clock.advance(10 * everyMs)
  expect(reception.dropped).toBe(exportsMax + 10)
  expect(receiver.requests).toHaveLength(exportsMax)
})
