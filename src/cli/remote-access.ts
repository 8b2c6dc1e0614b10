/** Keys and usage of a gateway elsewhere, through its admin API; nothing that answers there is taken as it comes. */
import { parseKey } from '../access/api-key.ts'
import { type KeyView, keyViewSchema } from '../access/key-schema.ts'
import type { Clock } from '../base/clock.ts'
import { type ErrorCode, errorCatalogue, GatewayError } from '../base/errors.ts'
import type { UsageReport } from '../metering/usage-report.ts'
import { usageReportSchema } from '../metering/usage-report-schema.ts'
import type { AccessAdmin, IssuedKey, UsageQuestion } from './access-admin.ts'
import type { KeyBody } from './key-flags.ts'

const answerMsMax = 30_000
/** Of all answers to one command: some ten times what 100,000 keys take. */
const answerBytesMax = 268_435_456
/** A gateway of this version tells a thousand keys a page. */
const pagesMax = 1_000
const messageCharsMax = 2_000

export class RemoteAccess implements AccessAdmin {
  readonly place: string
  // Only its configuration has it, and the admin API tells nothing of that.
  readonly dataUrl = null
  // It is the gateway that makes the changes.
  readonly isFollowed = false
  readonly isWithoutFile = false
  readonly anonymousAllowed = null
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

  async create(body: KeyBody): Promise<IssuedKey> {
    const { isFirst, ...issued } = fieldsOf(await this.#ask('POST', 'keys', body))
    return { ...issuedOf(issued), first: isFirst === true }
  }

  async change(idOrName: string, body: KeyBody): Promise<KeyView> {
    return viewOf(await this.#ask('PATCH', await this.#pathOf(idOrName), body))
  }

  async rotate(idOrName: string, graceMs: number | null): Promise<IssuedKey> {
    const answer = await this.#ask(
      'POST',
      `${await this.#pathOf(idOrName)}/rotate`,
      graceMs === null ? {} : { graceMs },
    )
    return { ...issuedOf(answer), first: false }
  }

  async revoke(idOrName: string, endStreams: boolean): Promise<KeyView> {
    return viewOf(await this.#ask('POST', `${await this.#pathOf(idOrName)}/revoke`, { endStreams }))
  }

  list(): Promise<readonly KeyView[]> {
    return this.#list({})
  }

  async find(idOrName: string): Promise<KeyView> {
    return viewOf(await this.#ask('GET', await this.#pathOf(idOrName)))
  }

  async usage({ by, ...filters }: UsageQuestion): Promise<UsageReport> {
    const query = new URLSearchParams({ by: by.join(',') })
    for (const [name, value] of Object.entries(filters)) if (value !== null) query.set(name, value)
    const report = usageReportSchema.safeParse(await this.#ask('GET', `usage?${query.toString()}`))
    if (report.success) return report.data
    throw noAnswer()
  }

  async close(): Promise<void> {}

  async #list(query: Readonly<Record<string, string>>): Promise<readonly KeyView[]> {
    const all = new Map<string, KeyView>()
    let after: string | null = null
    for (let pages = 0; pages < pagesMax; pages += 1) {
      const page: Readonly<Record<string, string>> = after === null ? query : { ...query, after }
      const { keys, next } = fieldsOf(await this.#ask('GET', `keys?${new URLSearchParams(page).toString()}`))
      if (!Array.isArray(keys)) throw noAnswer()
      for (const view of keys.map(viewOf)) {
        // Else it could go on for ever.
        if (all.has(view.id)) throw noAnswer()
        all.set(view.id, view)
      }
      if (typeof next !== 'string' || keys.length === 0) return [...all.values()]
      after = next
    }
    throw refused(`the gateway at ${this.place} tells of more keys than are listed here`)
  }

  /** A path takes no escapes, so that of a name which would need some the id is asked for first. */
  async #pathOf(idOrName: string): Promise<string> {
    if (/^[\w-]+$/.test(idOrName)) return `keys/${idOrName}`
    const named = await this.#list({ name: idOrName })
    const found = named.find(({ state }) => state !== 'revoked') ?? named.at(-1)
    if (found === undefined) throw new GatewayError('not_found', `there is no key "${idOrName}"`)
    if (!/^[\w-]+$/.test(found.id)) throw noAnswer()
    return `keys/${found.id}`
  }

  async #ask(method: string, path: string, body?: object): Promise<unknown> {
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

function issuedOf(answer: unknown): { view: KeyView; key: string } {
  const { key, ...fields } = fieldsOf(answer)
  const view = viewOf(fields)
  // A script may take it as it stands.
  if (typeof key !== 'string' || parseKey(key)?.id !== view.id) throw noAnswer()
  return { view, key }
}

function viewOf(answer: unknown): KeyView {
  const result = keyViewSchema.safeParse(answer)
  if (result.success) return result.data
  throw noAnswer()
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

function noAnswer(): GatewayError {
  return refused('what answers there is no admin API of an LMX gateway of this version')
}

function refused(message: string): GatewayError {
  return new GatewayError('invalid_request', message)
}
