/** Who goes next by the rules as they are told to people, found by comparing everybody with everybody. */
import { type RequestClass, requestClasses } from '../../../src/base/request-class.ts'
import type { Place } from '../../../src/queue/slot-request.ts'

export interface Contender {
  readonly key: string
  readonly place: Place
  /** Its class, or the one above once it has waited long, and its place by arrival. */
  readonly waiter: { readonly class: RequestClass; readonly order: number }
}

export interface Standing {
  readonly counterOf: (key: string) => number
  readonly isShort: (ofClass: RequestClass) => boolean
}

/** All that are level with the first. */
export function shouldGoNext<One extends Contender>(contenders: readonly One[], standing: Standing): One[] {
  const sentBack = contenders.filter(({ place }) => place === 'sent_back')
  if (sentBack.length > 0) return sentBack.slice(0, 1)
  const inBand = least(contenders, ({ waiter }) => band(waiter.class, standing))
  const inFlow = least(inBand, ({ key }) => standing.counterOf(key))
  // Between flows that were served the same, any may go; inside each the class and the arrival say who.
  return [...new Set(inFlow.map(({ key }) => key))].flatMap((key) => {
    const own = inFlow.filter((one) => one.key === key)
    return least(
      least(own, ({ waiter }) => requestClasses.indexOf(waiter.class)),
      ({ waiter }) => waiter.order,
    )
  })
}

function band(ofClass: RequestClass, { isShort }: Standing): number {
  if (isShort(ofClass)) return requestClasses.indexOf(ofClass)
  return ofClass === 'bulk' ? 4 : 3
}

/** Those with the least value; counters are sums of fractions, so that equal ones may differ in the last place. */
function least<One>(all: readonly One[], valueOf: (one: One) => number): One[] {
  const smallest = Math.min(...all.map(valueOf))
  return all.filter((one) => valueOf(one) <= smallest + 1e-6)
}
