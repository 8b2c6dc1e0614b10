/** What the head of a request must be before anything acts on it: short, and with one reading only. */
import type { IncomingMessage } from 'node:http'
import { GatewayError } from '../base/errors.ts'
import { endpoints } from '../wire/endpoints.ts'

/** Headers by which something is decided here or at a host: who asks, for what, and where the request ends. */
const decisiveHeaders = [
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'proxy-authorization',
  'transfer-encoding',
  'x-api-key',
]
/** One bit for each, so that those that were seen are a number and no set. */
const bitOf: ReadonlyMap<string, number> = new Map(decisiveHeaders.map((name, index) => [name, 1 << index]))

/** Why the request is refused; null for one that may be looked at. */
export function headProblem(incoming: IncomingMessage, headersMax: number): GatewayError | null {
  const { rawHeaders, headers, httpVersion } = incoming
  if (rawHeaders.length > 2 * headersMax) {
    return new GatewayError('headers_too_large', `A request may have at most ${headersMax} headers.`)
  }
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return refused('This listener speaks HTTP/1.1.')
  const twice = repeatedHeader(rawHeaders)
  if (twice !== null) return refused(`The header ${twice} stands there twice; send it once.`)
  if (httpVersion === '1.1' && headers.host === undefined) return refused('The header host is missing.')
  return bodyProblem(incoming) ?? targetProblem(incoming.url ?? '')
}

/** Of what is said about the body. */
function bodyProblem({ headers, httpVersion }: IncomingMessage): GatewayError | null {
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (httpVersion !== '1.1' || coding.toLowerCase() !== 'chunked')) {
    return refused('Of all transfer codings only chunked is taken, with HTTP/1.1.')
  }
  // RFC 9110 10.1.1: from HTTP/1.0 it counts for nothing.
  if (headers.expect === undefined || httpVersion !== '1.1' || headers.expect.toLowerCase() === '100-continue') {
    return null
  }
  return new GatewayError('expectation_failed', 'The only expectation that can be met is 100-continue.')
}

function refused(message: string): GatewayError {
  return new GatewayError('invalid_request', message)
}

/** Readers differ on whether the first or the last one counts. */
function repeatedHeader(rawHeaders: readonly string[]): string | null {
  let seen = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    const bit = bitOf.get(name) ?? 0
    if ((seen & bit) !== 0) return name
    seen |= bit
  }
  return null
}

/** The target without its query; of an absolute one the path alone, since nothing here goes by the host that it names. */
const targetPath = /^(?:https?:\/\/[^/?#\\]*)?(\/[^?]*)/
/** What stands for itself in every reader's eyes. */
const plainPath = /^[\w\-.~!$&'()*+,;=:@/]*$/
/** Most requests ask for one of these, which need no look. */
const knownTargets: ReadonlySet<string> = new Set(endpoints.map(({ path }) => path))
/** Below this names of models stand in the path, and may hold anything. */
const namesBelow = '/v1/models/'

/**
 * One spelling for each path: dots that climb, backslashes and letters written as `%6d` are undone by some readers and
 * not by others, and what one of them checks another would serve.
 */
function targetProblem(target: string): GatewayError | null {
  if (knownTargets.has(target)) return null
  const path = targetPath.exec(target)?.[1]
  if (path === undefined) return refused('The request target cannot be read.')
  const named = path.startsWith(namesBelow) ? path.slice(namesBelow.length) : null
  const climbs = path.split(/\/|%2f/i).some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))
  const isName = named === null || named.split('/').every((part) => part !== '' && !/[\\#]/.test(part))
  if (isName && !climbs && plainPath.test(named === null ? path : namesBelow)) return null
  return new GatewayError('not_found', 'There is nothing here: write the path plainly, without escapes and dots.')
}
