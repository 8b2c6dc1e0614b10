/** Prometheus' scrape; with a token where the admin listener can be reached from other machines. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Handler } from 'hono'
import { GatewayError } from '../../base/errors.ts'
import type { Metrics } from '../../observe/metrics.ts'

/** `token` null: open, for a listener on loopback. */
export function scrape(metrics: Metrics, token: string | null): Handler {
  return async (c) => {
    if (token !== null && !sameSecret(c.req.header('authorization') ?? '', `Bearer ${token}`)) {
      throw new GatewayError('invalid_api_key', 'Send the configured admin.metricsToken as a bearer token.')
    }
    const { contentType, body } = await metrics.render()
    return c.body(body, 200, { 'content-type': contentType })
  }
}

/** Digests are of one length, so the time of comparing them tells nothing. */
function sameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
