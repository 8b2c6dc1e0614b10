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
  [
    'otlp: { endpoint: "http://user:word@127.0.0.1:4318" }',
    'F:1:19 otlp.endpoint: must not carry credentials; put them into otlp.headers, for instance authorization: "Bearer ${OTLP_KEY}"',
  ],
  ['otlp: { headers: { bad name: a } }', 'F:1:30 otlp.headers.bad name: is no name of a header'],
  ['otlp: { headers: { Content-Length: "5" } }', 'F:1:36 otlp.headers.Content-Length: is set by the gateway itself'],
  [
    'otlp: { headers: { x-key: "a\\nb" } }',
    'F:1:27 otlp.headers.x-key: must be plain letters, digits and signs; look for a line end in it',
  ],
  [
    'otlp: { headers: { x-key: "a€" } }',
    'F:1:27 otlp.headers.x-key: must be plain letters, digits and signs; look for a line end in it',
  ],
  ['otlp: { metricsIntervalMs: 60 }', 'F:1:28 otlp.metricsIntervalMs: must be at least 1000, not 60'],
])('%s', async (yaml, problem) => {
  expect(await problems({ yaml: `${yaml}\n` })).toEqual([problem])
})

test.each([
  `otlp: { ${endpoint} }`,
  `otlp: { ${endpoint}, traces: false, metrics: true }`,
  `otlp: { ${endpoint} }\nmetrics: { enabled: false }`,
  'otlp: { traces: false }',
  'otlp: { endpoint: "https://a.example/otlp?tenant=b", headers: { authorization: "Basic dTpw=", x-tenant: "" } }',
])('%s is good', async (yaml) => {
  expect(await problems({ yaml: `${yaml}\n` })).toEqual([])
})
