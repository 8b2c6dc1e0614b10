/** One export, and the time that its receiver has for all of the answer. */
import type { Clock } from '../../base/clock.ts'

export interface DeliveryTime {
  readonly clock: Pick<Clock, 'after'>
  readonly msMax: number
}

/** As OpenTelemetry has exporters. */
interface Exporter<Items> {
  export(items: Items, done: (result: { readonly error?: Error }) => void): void
}

/**
 * Rejects where it is not taken, or not in time. The exporter has a bound of its own, but for a connection that is silent:
 * an answer that trickles would be waited for without end, and nothing be sent any more.
 */
export function delivered<Items>(
  exporter: Exporter<Items>,
  items: Items,
  { clock, msMax }: DeliveryTime,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = clock.after(msMax, () => reject(new Error('the answer was not whole in time')))
    exporter.export(items, ({ error }) => {
      late.cancel()
      if (error === undefined) resolve()
      else reject(error)
    })
  })
}
