/** Liveness and readiness; neither names a host or needs a key. */
import type { Handler } from 'hono'

export interface Readiness {
  /** Null when requests can be served, else why not. */
  notReadyBecause(): string | null
  /** What is wrong although requests are served; null when nothing is. */
  degradedBecause(): string | null
}

export const healthz: Handler = (c) => c.json({ status: 'ok' })

export function readyz(readiness: Readiness): Handler {
  return (c) => {
    const reason = readiness.notReadyBecause()
    if (reason !== null) return c.json({ status: 'unavailable', reason }, 503)
    const degraded = readiness.degradedBecause()
    return c.json(degraded === null ? { status: 'ready' } : { status: 'ready', degraded })
  }
}
