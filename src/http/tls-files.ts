/** The certificate of the data listener and its key: read at the start, and again whenever their files have changed. */
import { createPrivateKey, type KeyObject, constants as opensslOptions, type X509Certificate } from 'node:crypto'
import { statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { certificatesOf, readPemFile } from '../base/pem-file.ts'
import { StartError } from '../base/start-error.ts'
import type { ServerOptions } from './options.ts'

export type TlsPaths = NonNullable<ServerOptions['tls']>

export interface TlsFilesParts {
  readonly clock: Clock
  readonly log: Log
}

/** How often their times are looked at: a renewed certificate may wait that long. */
const lookEveryMs = 60_000

export class TlsFiles {
  readonly #paths: TlsPaths
  readonly #clock: Clock
  readonly #log: Log
  #seen: string
  #pair: Pair
  #toldExpired = false
  #timer: Timer | null = null

  /** Throws a StartError where they cannot be used. */
  constructor(paths: TlsPaths, parts: TlsFilesParts) {
    this.#paths = paths
    this.#clock = parts.clock
    this.#log = parts.log
    this.#seen = stateOf(paths)
    this.#pair = readPair(paths)
    this.#tellExpiry('serving over TLS')
    if (readableByAll(paths.key)) this.#log('warn', 'every user of this machine can read server.tls.key; chmod 600 it')
  }

  /** What a server is made with. Nothing in the environment of the process makes these rules milder. */
  get options(): SecureContextOptions {
    return secureOptions(this.#pair)
  }

  /** Hands over new options for the connections to come when the files have changed to others that can be used. */
  watch(apply: (options: SecureContextOptions) => void): void {
    this.#timer = this.#clock.after(lookEveryMs, () => {
      this.#look(apply)
      this.watch(apply)
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #look(apply: (options: SecureContextOptions) => void): void {
    const state = stateOf(this.#paths)
    if (state === this.#seen) {
      if (this.#expired && !this.#toldExpired) this.#tellExpiry('')
      return
    }
    this.#seen = state
    try {
      const pair = readPair(this.#paths)
      apply(secureOptions(pair))
      this.#pair = pair
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      this.#log('warn', 'the files of server.tls have changed and cannot be used; the certificate before stays', {
        problem,
      })
      return
    }
    this.#tellExpiry('the files of server.tls have changed; new connections get the new certificate')
  }

  get #expired(): boolean {
    return this.#pair.expiresAtMs <= this.#clock.wallMs()
  }

  #tellExpiry(message: string): void {
    const certificateExpires = new Date(this.#pair.expiresAtMs).toISOString()
    this.#toldExpired = this.#expired
    if (this.#expired) this.#log('warn', 'the certificate in server.tls.cert has expired', { certificateExpires })
    else this.#log('info', message, { certificateExpires })
  }
}

interface Pair {
  readonly cert: string
  readonly key: string
  readonly expiresAtMs: number
}

function readPair(paths: TlsPaths): Pair {
  const cert = readPemFile(paths.cert, 'server.tls.cert')
  const [own] = certificatesOf(cert, paths.cert, 'server.tls.cert')
  const key = readPemFile(paths.key, 'server.tls.key')
  checkKey(keyOf(key, paths.key), own, paths)
  const pair = { cert, key, expiresAtMs: own.validToDate.getTime() }
  try {
    createSecureContext(secureOptions(pair))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StartError(`server.tls: these files cannot be used (${reason}).`)
  }
  return pair
}

function keyOf(pem: string, path: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw new StartError(`server.tls.key: the key in ${path} is encrypted; write it without a passphrase.`)
  }
  try {
    return createPrivateKey(pem)
  } catch {
    throw new StartError(`server.tls.key: there is no private key in ${path} that can be read.`)
  }
}

function checkKey(key: KeyObject, certificate: X509Certificate, paths: TlsPaths): void {
  if (certificate.checkPrivateKey(key)) return
  throw new StartError(
    `server.tls.key: the key in ${paths.key} is not that of the first certificate in ${paths.cert}; ` +
      'that of the gateway comes first, then those of its authorities.',
  )
}

function secureOptions({ cert, key }: Pair): SecureContextOptions {
  return {
    cert,
    key,
    minVersion: 'TLSv1.2',
    secureOptions: opensslOptions.SSL_OP_NO_RENEGOTIATION | opensslOptions.SSL_OP_NO_COMPRESSION,
  }
}

/** Changes with the files, also where a link is pointed elsewhere. */
function stateOf(paths: TlsPaths): string {
  return [paths.cert, paths.key].map(fileState).join(' ')
}

function fileState(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino}:${size}:${mtimeMs}`
  } catch {
    return 'none'
  }
}

function readableByAll(path: string): boolean {
  return process.platform !== 'win32' && (statSync(path, { throwIfNoEntry: false })?.mode ?? 0) % 8 >= 4
}
