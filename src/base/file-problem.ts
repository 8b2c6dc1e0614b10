/** Why a file that somebody named cannot be read, in words that say what to do. */

/** Node's code of the error, such as `ENOENT`. */
export function fileErrorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'
}

export function cannotRead(path: string, error: unknown): string {
  const code = fileErrorCode(error)
  switch (code) {
    case 'ENOENT':
      return `there is no file ${path}`
    case 'EACCES':
    case 'EPERM':
      return `${path} must be readable by the user that runs the gateway`
    case 'EISDIR':
      return `${path} is a folder; name the file in it`
    default:
      return `${path} cannot be read (${code})`
  }
}
