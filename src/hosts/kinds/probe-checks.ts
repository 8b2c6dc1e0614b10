/** What every kind asks of a probe's answer before it looks inside: was the key taken, and is anybody there. */
import type { ProbeAnswer } from './host-kind.ts'

/** Throws unless the path, one that only a healthy server answers well, was answered well. */
export function requireOk(answer: ProbeAnswer, path: string): void {
  requireKeyTaken(answer, path)
  if (answer.status < 200 || answer.status > 299) throw new Error(`answers GET ${path} with ${answer.status}`)
}

/** Throws when the host wants another key: it is there, but every request would fail as this one did. */
export function requireKeyTaken(answer: ProbeAnswer, path: string): void {
  if (answer.status !== 401 && answer.status !== 403) return
  throw new Error(`answers GET ${path} with ${answer.status}: set the apiKey of this host to a key that it accepts`)
}

/** Throws when a proxy in front of the host says that it cannot reach it (RFC 9110, 15.6.3 and 15.6.5). */
export function requireReached(answer: ProbeAnswer, path: string): void {
  if (answer.status !== 502 && answer.status !== 504) return
  throw new Error(`answers GET ${path} with ${answer.status}: a proxy in front of the host cannot reach it`)
}

/** The `server` header, '' when there is none. */
export function serverHeader(answer: ProbeAnswer): string {
  const value = answer.headers['server']
  return (Array.isArray(value) ? value[0] : value) ?? ''
}
