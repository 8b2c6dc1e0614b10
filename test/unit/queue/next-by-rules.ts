/** Who goes next by the rules as they are told to people, found by comparing everybody with everybody. */
import { type RequestClass, requestClasses } from '../../../src/base/request-class.ts'
import type { Place } from '../../../src/queue/slot-request.ts'
import type { Waiter } from '../../../src/queue/waiter.ts'

export interface Contender {
  readonly key: string
  readonly place: Place
  /** That it came with. */
  readonly class: RequestClass
  /** Its class, or the one above once it has waited long, and its place by arrival. */
  readonly waiter: Pick<Waiter, 'class' | 'order' | 'lane'>
}

export interface Standing {
  readonly counterOf: (key: string) => number
  readonly isShort: (ofClass: RequestClass) => boolean
}

/** All that are level with the first. Who has risen has the better of two places: of its class now, and of the one before. */
export function shouldGoNext<One extends Contender>(contenders: readonly One[], standing: Standing): One[] {
  const sentBack = contenders.filter(({ place }) => place === 'sent_back')
  if (sentBack.length > 0) return sentBack.slice(0, 1)
  const { counterOf } = standing
  const firsts = requestClasses.flatMap((ofClass) => {
    const ofSame = contenders.filter(({ waiter }) => waiter.class === ofClass)
    const byKeyAndLane = Map.groupBy(ofSame, ({ key, waiter }) => `${key} ${waiter.lane.id}`)
    return [...byKeyAndLane.values()].flatMap((queued) => least(queued, ({ waiter }) => waiter.order))
  })
  const place = (one: One): number => Math.min(band(one.waiter.class, standing), band(one.class, standing))
  const inFlow = least(least(firsts, place), ({ key }) => counterOf(key))
  // Between flows that were served the same, any may go; inside each the class and the arrival say who.
  return [...Map.groupBy(inFlow, ({ key }) => key).values()].flatMap((own) =>
    least(
      least(own, ({ waiter }) => requestClasses.indexOf(waiter.class)),
      ({ waiter }) => waiter.order,
    ),
  )
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
