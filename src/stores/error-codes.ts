/** What errors of Node's file system and of SQLite are called. */

/** Such as `ENOENT`. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** SQLite's extended result code, whose lower eight bits are the primary one; null for what is no error of SQLite. */
export function sqliteCodeOf(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
