/** Where Redis is and how to get in, as the configuration and the files that it names say it at this moment. */
import { readFileSync } from 'node:fs'
import { cannotRead } from '../../base/file-problem.ts'
import { certificatesOf, readPemFile } from '../../base/pem-file.ts'
import { StartError } from '../../base/start-error.ts'
import type { RedisOptions } from '../options.ts'

export interface RedisTarget {
  readonly host: string
  readonly port: number
  readonly database: number
  /** Null: as the user that every Redis has. */
  readonly username: string | null
  /** Null where none is wanted. */
  readonly password: string | null
  /** Null where it is not encrypted; `ca` is undefined where the authorities of this machine are believed. */
  readonly tls: { readonly ca: string | undefined } | null
}

/** Read again for each connection, so that a password or an authority may be changed at any time. Throws a StartError. */
export function readTarget(options: RedisOptions): RedisTarget {
  const url = new URL(options.url)
  const written = url.password === '' ? null : decodeURIComponent(url.password)
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 6379 : Number(url.port),
    database: Number(url.pathname.slice(1)),
    username: options.username ?? (url.username === '' ? null : decodeURIComponent(url.username)),
    password: passwordIn(options) ?? written,
    tls: url.protocol === 'rediss:' ? { ca: authoritiesIn(options) } : null,
  }
}

/** For people: never with a user or a password. */
export function placeOf({ host, port }: Pick<RedisTarget, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function passwordIn({ password, passwordFile }: RedisOptions): string | null {
  if (passwordFile === undefined) return password ?? null
  let text: string
  try {
    text = readFileSync(passwordFile, 'utf8').trimEnd()
  } catch (error) {
    throw new StartError(`storage.redis.passwordFile: ${cannotRead(passwordFile, error)}.`)
  }
  if (text === '')
    throw new StartError(`storage.redis.passwordFile: ${passwordFile} is empty; write the password into it.`)
  return text
}

function authoritiesIn({ caFile }: RedisOptions): string | undefined {
  if (caFile === undefined) return undefined
  const pem = readPemFile(caFile, 'storage.redis.caFile')
  certificatesOf(pem, caFile, 'storage.redis.caFile')
  return pem
}
