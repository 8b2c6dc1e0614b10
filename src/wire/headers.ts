/** Which headers cross the gateway: allow-lists both ways, so that nothing new gets through by itself. */
import type { Endpoint } from './endpoints.ts'

export type HeaderFields = Readonly<Record<string, string | string[] | undefined>>

/** What a host is sent of the client's headers; everything else, credentials and priorities above all, stays here. */
const requestHeadersPassed = ['accept', 'content-type']
/** Anthropic's clients choose versions and betas by header; they never influence routing. */
const anthropicHeadersPassed = ['anthropic-version', 'anthropic-beta']
const answerHeadersPassed = ['content-type', 'content-disposition']
/** With control characters a value could split the message. */
// eslint-disable-next-line no-control-regex -- that is what is looked for
const unfit = /[\0-\x08\x0A-\x1F\x7F]/
const requestIdForm = /^[\w.-]{1,64}$/

export interface OwnRequestHeaders {
  readonly requestId: string
  readonly userAgent: string
  /** The host's own key. */
  readonly apiKey: string | undefined
  /** Of the trace that the attempt is part of. */
  readonly trace: Readonly<Record<string, string>>
}

/** The headers of an attempt. Accept-Encoding is identity, since a compressed stream can be neither framed nor metered. */
export function headersToHost(
  client: HeaderFields,
  endpoint: Endpoint,
  own: OwnRequestHeaders,
): Record<string, string> {
  const headers: Record<string, string> = {}
  copy(client, requestHeadersPassed, headers)
  if (endpoint.anthropic) copy(client, anthropicHeadersPassed, headers)
  headers['accept-encoding'] = 'identity'
  headers['user-agent'] = own.userAgent
  headers['x-request-id'] = own.requestId
  Object.assign(headers, own.trace)
  if (own.apiKey !== undefined) headers['authorization'] = `Bearer ${own.apiKey}`
  return headers
}

/** What a client is sent of the host's headers, beside the gateway's own. */
export function headersToClient(host: HeaderFields): Record<string, string> {
  const headers: Record<string, string> = {}
  copy(host, answerHeadersPassed, headers)
  return headers
}

/** A client's request id is echoed and logged, so it may only be a short plain word; it is never a key of anything. */
export function acceptableRequestId(value: string | string[] | undefined): string | null {
  return typeof value === 'string' && requestIdForm.test(value) ? value : null
}

function copy(from: HeaderFields, names: readonly string[], to: Record<string, string>): void {
  for (const name of names) {
    const value = from[name]
    const single = Array.isArray(value) ? value[0] : value
    if (single !== undefined && !unfit.test(single)) to[name] = single
  }
}
