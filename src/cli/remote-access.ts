/** Keys and usage of a gateway elsewhere, through its admin API; nothing that answers there is taken as it comes. */
import { parseKey } from '../access/api-key.ts'
import { type KeyView, keyViewSchema } from '../access/key-schema.ts'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { UsageReport } from '../metering/usage-report.ts'
import { usageReportSchema } from '../metering/usage-report-schema.ts'
import type { AccessAdmin, IssuedKey, UsageQuestion } from './access-admin.ts'
import { AdminClient, fieldsOf, noAnswer, refused } from './admin-client.ts'
import type { KeyBody } from './key-flags.ts'

/** A gateway of this version tells a thousand keys a page. */
const pagesMax = 1_000

export class RemoteAccess implements AccessAdmin {
  readonly place: string
  // Only its configuration has it, and the admin API tells nothing of that.
  readonly dataUrl = null
  // It is the gateway that makes the changes.
  readonly isFollowed = false
  readonly isWithoutFile = false
  readonly anonymousAllowed = null
  readonly #client: AdminClient

  /** Throws a GatewayError for an address or a token that cannot be. */
  constructor(adminUrl: string, token: string, clock: Clock) {
    this.#client = new AdminClient(adminUrl, token, clock)
    this.place = this.#client.place
  }

  async create(body: KeyBody): Promise<IssuedKey> {
    const { isFirst, ...issued } = fieldsOf(await this.#client.ask('POST', 'keys', body))
    return { ...issuedOf(issued), first: isFirst === true }
  }

  async change(idOrName: string, body: KeyBody): Promise<KeyView> {
    return viewOf(await this.#client.ask('PATCH', await this.#pathOf(idOrName), body))
  }

  async rotate(idOrName: string, graceMs: number | null): Promise<IssuedKey> {
    const answer = await this.#client.ask(
      'POST',
      `${await this.#pathOf(idOrName)}/rotate`,
      graceMs === null ? {} : { graceMs },
    )
    return { ...issuedOf(answer), first: false }
  }

  async revoke(idOrName: string, endStreams: boolean): Promise<KeyView> {
    return viewOf(await this.#client.ask('POST', `${await this.#pathOf(idOrName)}/revoke`, { endStreams }))
  }

  list(): Promise<readonly KeyView[]> {
    return this.#list({})
  }

  async find(idOrName: string): Promise<KeyView> {
    return viewOf(await this.#client.ask('GET', await this.#pathOf(idOrName)))
  }

  usage({ by, ...filters }: UsageQuestion): Promise<UsageReport> {
    const query = new URLSearchParams({ by: by.join(',') })
    for (const [name, value] of Object.entries(filters)) if (value !== null) query.set(name, value)
    return this.#client.askFor(usageReportSchema, 'GET', `usage?${query.toString()}`)
  }

  async close(): Promise<void> {}

  async #list(query: Readonly<Record<string, string>>): Promise<readonly KeyView[]> {
    const all = new Map<string, KeyView>()
    let after: string | null = null
    for (let pages = 0; pages < pagesMax; pages += 1) {
      const page: Readonly<Record<string, string>> = after === null ? query : { ...query, after }
      const { keys, next } = fieldsOf(await this.#client.ask('GET', `keys?${new URLSearchParams(page).toString()}`))
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
