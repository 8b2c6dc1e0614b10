/** Keys as people read them. */

import type { KeyView } from '../access/key-schema.ts'
import { type LimitName, limitKinds } from '../access/limits.ts'
import type { AccessAdmin, IssuedKey } from './access-admin.ts'
import { printable } from './printable.ts'
import { grouped, textTable } from './text-table.ts'

export function keyListText(keys: readonly KeyView[]): string {
  const columns = ['id', 'name', 'team', 'state', 'models', 'limits'].map((title) => ({ title }))
  return textTable(
    columns,
    keys.map((key) => [key.id, key.name, key.team ?? '-', stateText(key), modelsText(key), limitsText(key) || '-']),
  )
}

export function keyText(key: KeyView): string {
  const limits = limitsOf(key).map(([name, value]): [string, string] => [limitKinds[name].meaning, grouped(value)])
  const tags = Object.entries(key.tags).map(([name, value]) => `${name}=${value}`)
  const lines: [string, string][] = [
    ['id', key.id],
    ['name', key.name],
    ['team', key.team ?? '-'],
    ['state', stateText(key)],
    ['models', key.models?.join(', ') ?? 'all'],
    ['class', key.class],
    ['weight', String(key.weight)],
    ['tokens of one answer', key.maxOutputTokens === null ? 'as the host allows' : grouped(key.maxOutputTokens)],
    ...limits,
    ['tags', tags.join(', ') || '-'],
    ['created', key.createdAt],
    ...oldSecrets(key).map((at): [string, string] => ['old secret good until', at]),
  ]
  const width = Math.max(...lines.map(([left]) => left.length))
  return lines.map(([left, right]) => `${left.padEnd(width)}  ${printable(right)}`).join('\n')
}

/**
 * What to say beside a key that is shown this once. Where nobody sees that on a terminal, a script has taken it, and what
 * is said here may end in some log: then the command has a variable in its place.
 */
export function issuedText({ view, key }: IssuedKey, dataUrl: string | null, isTerminal: boolean): string {
  const old = oldSecrets(view).map((at) => `The old one is good until ${at}.`)
  return [
    `This is the key of ${keyName(view)}. It is shown this once: only a digest of it is kept.`,
    ...old,
    ...trial(dataUrl, isTerminal ? key : null),
  ].join('\n')
}

/** The key is null where it must not stand there. */
function trial(dataUrl: string | null, key: string | null): readonly string[] {
  if (dataUrl === null)
    return ["Try it: GET /v1/models at the gateway's address for clients, with the header authorization: Bearer KEY."]
  return [
    key === null ? 'Try it, with the key in KEY:' : 'Try it:',
    `  curl ${dataUrl}/v1/models -H "authorization: Bearer ${key ?? '$KEY'}"`,
  ]
}

/** When a change holds that was made beside a gateway; null where it holds already. */
export function followedText({ isFollowed }: AccessAdmin): string | null {
  return isFollowed ? 'A gateway that runs follows within a second.' : null
}

/** What the first key changes for everybody; null when this was none. */
export function firstKeyText({ first }: IssuedKey, { anonymousAllowed }: AccessAdmin): string | null {
  if (!first) return null
  if (anonymousAllowed === true)
    return 'This was the first key. Clients without one are still served, since server.allowAnonymous is on.'
  return [
    'This was the first key: from now on nobody is served without one, also once this one is revoked.',
    'To serve everybody again start the gateway with --allow-anonymous, or with server.allowAnonymous: true in its file.',
  ].join('\n')
}

export function keyName(key: KeyView): string {
  return `"${printable(key.name)}" (${printable(key.id)})`
}

function stateText(key: KeyView): string {
  if (key.revokedAt !== null) return `revoked ${dayOf(key.revokedAt)}`
  if (key.expiresAt === null) return key.state
  return `${key.state === 'expired' ? 'expired' : 'live until'} ${dayOf(key.expiresAt)}`
}

function dayOf(isoTime: string): string {
  return isoTime.slice(0, 10)
}

const modelsShown = 3

function modelsText({ models }: KeyView): string {
  if (models === null) return 'all'
  const more = models.length - modelsShown
  return `${models.slice(0, modelsShown).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

function limitsText(key: KeyView): string {
  return limitsOf(key)
    .map(([name, value]) => `${limitKinds[name].flag} ${grouped(value)}`)
    .join(', ')
}

/** In the order of the table. */
function limitsOf({ limits }: KeyView): [LimitName, number][] {
  return limitNames.flatMap((name): [LimitName, number][] => {
    const value = limits[name]
    return value === undefined ? [] : [[name, value]]
  })
}

const limitNames = Object.keys(limitKinds).filter((name): name is LimitName => name in limitKinds)

function oldSecrets(key: KeyView): string[] {
  return key.secrets.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [expiresAt]))
}
