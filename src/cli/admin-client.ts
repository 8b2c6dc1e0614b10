/** Asks the admin API of a gateway; nothing that answers there is taken as it comes. */
import type { Clock } from '../base/clock.ts'
import { type ErrorCode, errorCatalogue, GatewayError } from '../base/errors.ts'

const answerMsMax = 30_000
/** Of all answers to one command: some ten times what 100,000 keys take. */
const answerBytesMax = 268_435_456
const messageCharsMax = 2_000

/** What an answer must be. */
interface Schema<Answer> {
  safeParse(value: unknown): { success: true; data: Answer } | { success: false }
}

export class AdminClient {
  /** Where it asks. */
  readonly place: string
  readonly #base: URL
  readonly #token: string
  readonly #clock: Clock
  #bytesLeft = answerBytesMax

  /** Throws a GatewayError for an address or a token that cannot be. */
  constructor(adminUrl: string, token: string, clock: Clock) {
    this.#base = baseOf(adminUrl)
    this.place = this.#base.href
    if (!/^[\x21-\x7e]+$/.test(token)) throw refused('LMX_GATEWAY_ADMIN_TOKEN has characters that no token has')
    this.#token = token
    this.#clock = clock
  }

  /** Resolves with the JSON of a good answer to `admin/PATH`; rejects with a GatewayError, in the words of the gateway where it has some. */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const abort = new AbortController()
    const timer = this.#clock.after(answerMsMax, () => abort.abort())
    try {
      // oxlint-disable-next-line no-restricted-globals -- a few questions to another gateway, off every token's way
      const answer = await fetch(new URL(`admin/${path}`, this.#base), {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        // The token is for this address and no other.
        redirect: 'error',
        signal: abort.signal,
      })
      const content = parsed(await this.#textOf(answer))
      if (answer.ok) return content
      throw errorOf(answer.status, content)
    } catch (error) {
      if (error instanceof GatewayError) throw error
      throw refused(`the gateway at ${this.place} ${abort.signal.aborted ? 'does not answer' : reason(error)}`)
    } finally {
      timer.cancel()
    }
  }

  /** The same, held against the schema. */
  async askFor<Answer>(schema: Schema<Answer>, method: string, path: string, body?: object): Promise<Answer> {
    const result = schema.safeParse(await this.ask(method, path, body))
    if (result.success) return result.data
    throw noAnswer()
  }

  async #textOf({ body }: Response): Promise<string> {
    const decoder = new TextDecoder()
    const chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[] = body ?? []
    let text = ''
    for await (const chunk of chunks) {
      this.#bytesLeft -= chunk.length
      if (this.#bytesLeft < 0) throw refused(`the gateway at ${this.place} answers more than is read here`)
      text += decoder.decode(chunk, { stream: true })
    }
    return text + decoder.decode()
  }
}

function baseOf(adminUrl: string): URL {
  if (!URL.canParse(adminUrl) || !/^https?:\/\//i.test(adminUrl))
    throw refused(`--admin-url: "${adminUrl}" is no address; write it like http://192.168.1.5:4001`)
  const url = new URL(adminUrl)
  if (url.username !== '' || url.password !== '')
    throw refused('--admin-url: must have no credentials in it; the token is taken from LMX_GATEWAY_ADMIN_TOKEN')
  if (url.search !== '' || url.hash !== '') throw refused('--admin-url: must have nothing behind its path')
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw noAnswer()
  }
}

/** The gateway's own words, so that both ways to the keys say the same. */
function errorOf(status: number, content: unknown): GatewayError {
  const { message, code, param } = fieldsOf(fieldsOf(content)['error'])
  if (typeof message !== 'string') return noAnswer()
  const said = message.slice(0, messageCharsMax)
  const known = typeof code === 'string' && isErrorCode(code) ? code : 'internal_error'
  if (status === 401) return new GatewayError(known, `${said} (LMX_GATEWAY_ADMIN_TOKEN holds the token)`)
  return new GatewayError(known, said, typeof param === 'string' ? { param } : {})
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCatalogue, code)
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : null
  switch (code) {
    case null:
      return 'cannot be asked'
    case 'ECONNREFUSED':
      return 'cannot be reached: nobody listens there'
    case 'ENOTFOUND':
      return 'cannot be reached: there is no such name'
    default:
      return `cannot be reached (${code})`
  }
}

export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function noAnswer(): GatewayError {
  return refused('what answers there is no admin API of an LMX gateway of this version')
}

export function refused(message: string): GatewayError {
  return new GatewayError('invalid_request', message)
}
