/** A stream read to its end. */
import { Readable } from 'node:stream'

/** Rejects as the stream breaks. */
export function everyPiece(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  return Readable.from(stream).toArray()
}
