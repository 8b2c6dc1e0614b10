/** The receipt of one answer for a client that asked for it, in the two forms in which the readers of answers give it. */
import type { HeaderFields } from '../wire/headers.ts'
import { receiptComment, receiptHeaders, type SpeedReceipt, wantsReceipt } from '../wire/receipt.ts'

export interface Receipt {
  /** Stands before the mark that ends a stream well, or at its very end where there is none. */
  comment(): Buffer
  /** Of an answer that is no stream; `whole`: all of it is there, else what is still to come is not told. */
  headers(whole: boolean): Readonly<Record<string, string>>
}

/** Null for a client that does not ask for one. */
export function receiptFor(asked: HeaderFields, source: ReceiptSource): Receipt | null {
  if (!wantsReceipt(asked)) return null
  return {
    comment: () => Buffer.from(receiptComment(source.receipt(true))),
    headers: (whole) => receiptHeaders(source.receipt(whole)),
  }
}

export interface ReceiptSource {
  /** As it is now. */
  receipt(whole: boolean): SpeedReceipt
}
