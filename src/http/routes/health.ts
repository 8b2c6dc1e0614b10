/** Liveness and readiness; neither names a host or needs a key. */
import type { Handler } from 'hono'

export interface Readiness {
  /** Null when requests can be served, else why not. */
  notReadyBecause(): string | null
}

export const healthz: Handler = (c) => c.json({ status: 'ok' })

export function readyz(readiness: Readiness): Handler {
  return (c) => {
    const reason = readiness.notReadyBecause()
    return reason === null ? c.json({ status: 'ready' }) : c.json({ status: 'unavailable', reason }, 503)
  }
}
