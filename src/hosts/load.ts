/** A load of a model into the memory of a host, as it begins and while it lasts. */
export interface Load {
  readonly model: string
  /** Monotonic. */
  readonly sinceMs: number
  /** Put out for it. */
  readonly evicts: readonly string[]
  /** Nothing else may run there meanwhile: whom it puts out is for the host to say. */
  readonly isAlone: boolean
  /** The attempt, or the order, that brings it about; null where that was given up and the host may go on. */
  by: object | null
  /** Since when that one does, or nobody knows of it. */
  bySinceMs: number
}

export interface LoadBeginning {
  readonly evicts?: readonly string[]
  readonly isAlone?: boolean
  /** Who caused it. */
  readonly holder: string | null
}
