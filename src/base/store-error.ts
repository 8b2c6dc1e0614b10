/** What is kept on disk cannot be opened, read or written. */

/** The message is one sentence that names the file and what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}

/** What several gateways share cannot be asked; the message may be told to whoever administers one. */
export class SharedStoreAway extends StoreError {}

/** Of gateways that make the first admin token at once, another one was faster. No StoreError: nothing is amiss. */
export class AdminTokenKnown extends Error {
  override readonly name = 'AdminTokenKnown'
}
