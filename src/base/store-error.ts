/** What is kept on disk cannot be opened, read or written. */

/** The message is one sentence that names the file and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}
