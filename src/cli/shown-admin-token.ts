/** The admin token, which only whoever made it ever sees: on a terminal, or in a file that only the owner can read. */
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import type { Secret } from '../access/secret.ts'
import { randomId } from '../base/ids.ts'
import type { Io } from './command.ts'

export interface TokenPlace {
  readonly io: Io
  /** Where it is written when nobody sees it on a terminal; null where there is no place. */
  readonly path: string | null
  /** Of this command's output; by default of `io`. */
  readonly isTerminal?: boolean
}

const again = 'lmx-gateway admin-token rotate'

/** Beside the store; null for one that keeps nothing. */
export function adminTokenPath(storePath: string): string | null {
  if (storePath === ':memory:') return null
  return join(dirname(storePath), `${basename(storePath, extname(storePath))}-admin-token`)
}

/** Never throws: without its token a gateway still serves. */
export function showAdminToken(token: Secret, { io, path, isTerminal = io.isTerminal ?? false }: TokenPlace): void {
  if (isTerminal) {
    io.out(`Admin token, shown this once: ${token.reveal()}`)
    io.out('  It opens the admin API and serves --admin-url, as LMX_GATEWAY_ADMIN_TOKEN. Another one: ' + again)
    return
  }
  if (path === null) {
    io.out('The admin token is shown on a terminal only, and a store in memory has no file beside it: nobody has it.')
    return
  }
  try {
    writeTokenFile(path, token)
    io.out(`Admin token: in ${path}, for its owner only. Keep it elsewhere and remove the file. Another one: ${again}`)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    io.err(
      `lmx-gateway: the admin token could not be written to ${path} (${code}), so nobody has it; ${again} makes another`,
    )
  }
}

/** With its right from the first byte on, and never into a file that somebody laid there. */
export function writeTokenFile(path: string, token: Secret): void {
  const fresh = `${path}.${randomId(8)}`
  try {
    writeFileSync(fresh, `${token.reveal()}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(fresh, path)
  } catch (error) {
    rmSync(fresh, { force: true })
    throw error
  }
}
