/** The port through which gateways of one fleet give each other their rows of the ledger, so that each ledger is the whole one. */

/** Rows that the others have yet to be given. */
export interface HandedOut {
  /** As the others take them in. */
  readonly text: string
  readonly rows: number
  /** Of what was handed out, the latest. */
  readonly number: number
}

export interface WaitingRows {
  /** Not counted beyond some ten thousand. */
  readonly rows: number
  /** Wall clock; when the oldest of them was written, null where there is none. */
  readonly sinceMs: number | null
}

/** Where a reader of the rows of others stands. */
export interface StreamPosition {
  /** Made anew with each stream: places in another one mean nothing. */
  readonly stream: string
  readonly place: string
}

export interface TakenIn {
  /** Each of one gateway, as it handed them out. */
  readonly batches: readonly { readonly from: string; readonly text: string }[]
  /** Kept together with the rows, all or nothing. */
  readonly position: StreamPosition
}

/** What became of it. */
export interface TakenInCount {
  readonly rows: number
  /** Of a form that this gateway does not know. */
  readonly unknownRows: number
}

/** All reject with StoreError where the ledger cannot be used. */
export interface UsageExchange {
  waitingRows(): Promise<WaitingRows>
  /** The oldest first; null where there are none. */
  handOut(rowsMax: number): Promise<HandedOut | null>
  /** The others can have what was handed out last, if that is its number. A row that has changed meanwhile is handed out again. */
  handedOut(number: number): Promise<void>
  /** Own rows admitted since then are to be handed out once more; resolves with their number. */
  handAnew(sinceMs: number): Promise<number>
  /** A row that is there already is not there twice, and one of this gateway stays as it is. */
  takeIn(taken: TakenIn): Promise<TakenInCount>
  /** Null where nothing was taken in yet. */
  position(): Promise<StreamPosition | null>
}
