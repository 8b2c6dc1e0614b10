/** An error of a route that is not relayed says the same as one of a relayed request. */
import { expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { errorResponse } from '../../../src/http/error-response.ts'

it('tells the place and the wait that a request would have had in the line', () => {
  const wait = { position: 2, p50Ms: 1_500, p90Ms: 4_000.2 }
  const { status, headers } = errorResponse(new GatewayError('queue_full', 'Full.', { wait }))
  expect([status, headers.get('x-lmx-gateway-queue-position')]).toEqual([503, '2'])
  expect(headers.get('x-lmx-gateway-queue-wait-ms')).toBe('1500')
  expect(headers.get('x-lmx-gateway-queue-wait-p90-ms')).toBe('4001')
})
