/** An address to send to, and what would be sent there. */
import { expect, test } from 'vitest'
import { problems } from './loading.ts'

const endpoint = 'endpoint: http://127.0.0.1:4318'

test.each([
  [
    `otlp: { ${endpoint}, traces: false }`,
    'F:1:19 otlp.endpoint: nothing is sent there: otlp.traces is false and otlp.metrics is not true',
  ],
  [
    `otlp: { ${endpoint}, metrics: true }\nmetrics: { enabled: false }`,
    'F:1:51 otlp.metrics: there is nothing to send while metrics.enabled is false',
  ],
])('%s', async (yaml, problem) => {
  expect(await problems({ yaml: `${yaml}\n` })).toEqual([problem])
})

test.each([
  `otlp: { ${endpoint} }`,
  `otlp: { ${endpoint}, traces: false, metrics: true }`,
  `otlp: { ${endpoint} }\nmetrics: { enabled: false }`,
  'otlp: { traces: false }',
])('%s is good', async (yaml) => {
  expect(await problems({ yaml: `${yaml}\n` })).toEqual([])
})
