/** Where the store is: under the user's state folder (XDG Base Directory Specification) unless the configuration says so. */
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Environment } from './interpolation.ts'

export function defaultStoragePath(environment: Environment): string {
  // The specification wants a relative path there to be ignored.
  const folder = environment['XDG_STATE_HOME'] ?? ''
  return join(isAbsolute(folder) ? folder : join(homedir(), '.local', 'state'), 'lmx-gateway', 'gateway.db')
}

/** `~/` at the beginning is the user's home, as in a shell. */
export function expandedPath(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path
}
