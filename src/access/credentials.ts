/** Which key a request carries, and the refusals of those that carry none, a wrong one, two, or one in the URL. */
import { GatewayError } from '../base/errors.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'

/**
 * What a request carries. `foreign` is what cannot be a key whatever it says, as `Basic …`, or a key without its scheme.
 */
export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly text: string }
  | { readonly kind: 'foreign'; readonly text: string }

type HeaderValues = Readonly<Record<string, string | string[] | undefined>>

/** By headers as node:http gives them; the two carriers are equal, and a request with two different keys is refused. */
export function credentialOf(headers: HeaderValues): Credential {
  const authorization = headerOf(headers, 'authorization')
  const apiKey = headerOf(headers, 'x-api-key')
  if (authorization === '') return apiKey === '' ? { kind: 'none' } : { kind: 'bearer', text: apiKey }
  const text = bearerToken(authorization)
  if (apiKey !== '' && apiKey !== text) {
    const message = 'The headers authorization and x-api-key say different things; send one of them.'
    throw new GatewayError('invalid_request', message)
  }
  return text === null ? { kind: 'foreign', text: authorization } : { kind: 'bearer', text }
}

/** What stands behind `Bearer`, in any case of its letters; null for any other scheme and for none. */
export function bearerToken(authorization: string): string | null {
  return /^bearer +\S+$/i.test(authorization) ? authorization.slice(authorization.lastIndexOf(' ') + 1) : null
}

/** The same for everything that is wrong with a key, so that nobody learns what. */
export function badKey(): GatewayError {
  return new GatewayError(
    'invalid_api_key',
    'No valid API key: send one as "Authorization: Bearer lmx_live_…" or in the header x-api-key.',
  )
}

/** Names of query parameters by which other services take keys. */
const keyParameters = new Set([
  'access_key',
  'access_token',
  'api_key',
  'api_token',
  'apikey',
  'auth',
  'auth_token',
  'authorization',
  'bearer',
  'key',
  'secret',
  'token',
  'x_api_key',
])
/** More than one layer of escapes is nobody's habit; what hides deeper than this is no use to anybody. */
const escapeLayersMax = 3

/**
 * Why a request is refused whose target, as it was sent, carries a key; null for all others. To be asked before anything
 * logs or answers. `alsoNamed`: parameters in which others take keys count, too, which the admin API has for names.
 */
export function keyInTarget(target: string, { alsoNamed = true } = {}): GatewayError | null {
  if (!holdsKey(target, alsoNamed)) return null
  return new GatewayError(
    'invalid_request',
    'A key does not belong in a URL, where logs keep it: send it in a header, and replace one that was sent like this.',
  )
}

function holdsKey(target: string, alsoNamed: boolean): boolean {
  let text = target
  for (let layer = 0; ; layer++) {
    if (looksLikeOurs(text) || (alsoNamed && hasKeyParameter(text))) return true
    if (layer === escapeLayersMax || !text.includes('%')) return false
    text = text.replace(/%([0-7][0-9a-f])/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
  }
}

function hasKeyParameter(target: string): boolean {
  const queryAt = target.indexOf('?')
  if (queryAt === -1) return false
  return target
    .slice(queryAt + 1)
    .split(/[&;?#]/)
    .some((pair) => keyParameters.has((pair.split('=', 1)[0] ?? '').toLowerCase().replaceAll('-', '_')))
}

/** Empty where it is absent. Repeated ones never come here: the listener refuses them. */
function headerOf(headers: HeaderValues, name: string): string {
  const value = headers[name]
  return typeof value === 'string' ? value.trim() : ''
}
