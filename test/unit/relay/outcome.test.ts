import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorCatalogue } from '../../../src/base/errors.ts'
import {
  type EndCode,
  endCode,
  endedBy,
  endedByClient,
  endedByFleet,
  isFleetsFault,
  type Phase,
} from '../../../src/relay/outcome.ts'

const codes = Object.keys(errorCatalogue) as ErrorCode[]

describe('endCode', () => {
  test.each<[ErrorCode, Phase, EndCode]>([
    ['request_timeout', 'R', 'cR'],
    ['invalid_json', 'R', 'GR'],
    ['request_too_large', 'R', 'GR'],
    ['invalid_api_key', 'A', 'GA'],
    ['model_not_found', 'A', 'GA'],
    ['context_length_exceeded', 'F', 'GF'],
    ['queue_full', 'Q', 'RQ'],
    ['queue_timeout', 'Q', 'RQ'],
    ['gateway_shutting_down', 'Q', 'AQ'],
    ['gateway_shutting_down', 'D', 'AD'],
    ['internal_error', 'D', 'RD'],
    ['no_upstream_available', 'C', 'UC'],
    ['upstream_tls_error', 'C', 'UC'],
    ['upstream_protocol_error', 'H', 'UH'],
    ['upstream_auth_failed', 'H', 'UH'],
    ['upstream_busy', 'H', 'UH'],
    ['upstream_timeout', 'F', 'uF'],
    ['upstream_stalled', 'D', 'uD'],
    ['upstream_disconnected', 'D', 'UD'],
  ])('%s in phase %s is %s', (code, phase, end) => {
    expect(endCode(code, phase)).toBe(end)
  })

  test('every error has somebody to blame, and it is not the client that stayed', () => {
    for (const code of codes) expect('cUuGRA').toContain(endCode(code, 'D')[0])
  })

  test('a host is to blame for what is called upstream, and for nothing else but not being there', () => {
    const blamed = codes.filter((code) => endCode(code, 'D')[0]?.toLowerCase() === 'u')
    expect(blamed.filter((code) => !code.startsWith('upstream_'))).toEqual(['model_loading', 'no_upstream_available'])
  })
})

describe('who ended a request', () => {
  test.each<[EndCode, ReturnType<typeof endedBy>]>([
    ['CD', 'left'],
    ['cR', 'slow_client'],
    ['UF', 'host'],
    ['uD', 'slow_host'],
    ['GA', 'rule'],
    ['RQ', 'gateway'],
    ['AL', 'operator'],
    ['--', null],
  ])('%s: %s', (end, by) => {
    expect(endedBy(end)).toBe(by)
    expect(endedByClient(end)).toBe(by === 'left' || by === 'slow_client')
    expect(endedByFleet(end)).toBe(['host', 'slow_host', 'gateway', 'operator'].includes(by ?? ''))
  })

  test.each<[EndCode, ErrorCode | null, boolean]>([
    ['UF', 'upstream_disconnected', true],
    ['uD', 'upstream_stalled', true],
    ['RQ', 'queue_full', true],
    ['GF', 'upstream_bad_response', true],
    ['GA', 'store_unavailable', true],
    ['GA', 'invalid_api_key', false],
    ['GA', 'rate_limit_exceeded', false],
    ['AD', 'gateway_shutting_down', false],
    ['CD', null, false],
    ['--', null, false],
  ])('%s %s is the fleet’s fault: %s', (end, errorCode, is) => {
    expect(isFleetsFault({ end, errorCode })).toBe(is)
  })
})
