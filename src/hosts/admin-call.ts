/** One call to the admin API of a host, with its admin key, which is sent to nothing else of it. */
import type { Clock } from '../base/clock.ts'
import { parseJson } from '../wire/json-value.ts'
import type { Host } from './host.ts'
import type { AdminCall, ProbeAnswer } from './kinds/host-kind.ts'

export interface AdminCallLimits {
  readonly clock: Clock
  readonly userAgent: string
  /** For the whole answer. */
  readonly msMax: number
  readonly bytesMax: number
  /** The gateway stops: what is under way is given up. */
  readonly signal: AbortSignal
}

/** Why there was no answer: a sentence for the log. */
export class NoAdminAnswer extends Error {
  override readonly name = 'NoAdminAnswer'
}

export function adminCall(host: Host, call: Parameters<AdminCall>[0], limits: AdminCallLimits): Promise<ProbeAnswer> {
  const { clock, userAgent, msMax, bytesMax, signal } = limits
  const { method, path, body } = call
  const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let status = 0
    let headers: ProbeAnswer['headers'] = {}
    let problem: string | null = null
    const giveUp = (why: string): void => {
      problem ??= why
      trip.abort()
    }
    const stop = (): void => giveUp('the gateway is stopping')
    const timer = clock.after(msMax, () => giveUp(`it took longer than ${Math.round(msMax / 1_000)} s`))
    const over = (): void => {
      timer.cancel()
      signal.removeEventListener('abort', stop)
    }
    const request = { method, path: host.basePath + path, headers: headersOf(host, userAgent, bytes), body: bytes }
    const trip = host.transport.send(
      request,
      {
        connected() {},
        head(answerStatus, answerHeaders) {
          status = answerStatus
          headers = answerHeaders
        },
        data(chunk) {
          size += chunk.length
          if (size <= bytesMax) chunks.push(chunk)
          else giveUp('its answer is too long')
        },
        end() {
          over()
          const text = Buffer.concat(chunks).toString('utf8')
          resolve({ status, headers, text, json: parseJson(text) })
        },
        failed() {
          over()
          reject(new NoAdminAnswer(problem ?? 'the connection to its admin API failed'))
        },
      },
      { fresh: false },
    )
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop)
  })
}

function headersOf({ adminKey }: Host, userAgent: string, bytes: Buffer | null): Record<string, string> {
  return {
    accept: 'application/json',
    'user-agent': userAgent,
    ...(adminKey !== undefined && { 'x-admin-key': adminKey }),
    ...(bytes !== null && { 'content-type': 'application/json', 'content-length': String(bytes.length) }),
  }
}
