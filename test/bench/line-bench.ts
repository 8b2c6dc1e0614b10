/** Measures the line at one length, in this process: a message says which, the answer has the figures. */

import { SeededRandom } from '../soak/seeded-random.ts'
import type { LineSubject } from './line-subjects.ts'
import { LineAlone, LineInDispatcher } from './line-subjects.ts'
import { shuffled } from './statistics.ts'

export interface ToLineBench {
  readonly waiting: number
  /** Over which the requests are spread. */
  readonly models: number
  /** Requests that are added, taken and left by each step that is measured. */
  readonly steps: number
}

/** With so many waiting; times per request. */
export interface LineCost {
  readonly addUs: number
  readonly takeUs: number
  readonly leaveUs: number
  /** All who leave at once, in one turn of the event loop: 10,000 of them, or all where fewer wait. */
  readonly leaveAllMs: number
  /** Heap, for each who waits. */
  readonly bytes: number
}

export interface FromLineBench {
  readonly alone: LineCost
  readonly dispatcher: LineCost
}

const leaversMax = 10_000
/** Of so many at a time, so that the line stays about as long. */
const batch = 100
/** So long is the line in which everything is done once before it counts, so that it is compiled. */
const waitingAtFirst = 1_000

process.on('message', (order: ToLineBench) => process.send?.(measured(order)))
process.on('disconnect', () => process.exit(0))

function measured(order: ToLineBench): FromLineBench {
  return {
    alone: costOf(() => new LineAlone(order.models), order),
    dispatcher: costOf(() => new LineInDispatcher(order.models), order),
  }
}

function costOf<Entry>(make: () => LineSubject<Entry>, order: ToLineBench): LineCost {
  once(make, { ...order, waiting: Math.min(waitingAtFirst, order.steps) })
  return once(make, order)
}

function once<Entry>(make: () => LineSubject<Entry>, { waiting, steps }: ToLineBench): LineCost {
  const subject = make()
  const heapBefore = heapBytes()
  const entries = Array.from({ length: waiting }, () => subject.add())
  const bytes = (heapBytes() - heapBefore) / waiting
  const { leaveAllMs, leavers } = leaveAtOnce(subject, entries, steps)
  let addMs = 0
  let takeMs = 0
  for (let done = 0; done < steps; done += batch) {
    addMs += timeMs(() => times(batch, () => subject.add()))
    takeMs += timeMs(() => times(batch, () => subject.take()))
  }
  if (subject.waiting !== waiting) throw new Error('somebody was lost or served twice')
  subject.end()
  const eachUs = (ms: number) => (ms * 1_000) / (Math.ceil(steps / batch) * batch)
  const leaveUs = (leaveAllMs * 1_000) / leavers
  return { addUs: eachUs(addMs), takeUs: eachUs(takeMs), leaveUs, leaveAllMs, bytes }
}

/** Any of them, in any order; others come in their places. Repeated where few wait, or the figure would be of a moment. */
function leaveAtOnce<Entry>(subject: LineSubject<Entry>, entries: Entry[], steps: number) {
  const waiting = entries.length
  const leavers = Math.min(waiting, leaversMax)
  const repeats = Math.ceil(Math.min(leaversMax, steps) / leavers)
  const random = new SeededRandom(2)
  let sumMs = 0
  for (let repeat = 0; repeat < repeats; repeat++) {
    const shuffledEntries = shuffled(entries, random)
    const leaving = shuffledEntries.slice(0, leavers)
    sumMs += timeMs(() => {
      for (const entry of leaving) subject.leave(entry)
    })
    if (subject.waiting !== waiting - leavers) throw new Error('somebody who left still waits')
    entries = [...shuffledEntries.slice(leavers), ...leaving.map(() => subject.add())]
  }
  return { leaveAllMs: sumMs / repeats, leavers }
}

function timeMs(work: () => void): number {
  const beganMs = performance.now()
  work()
  return performance.now() - beganMs
}

function times(count: number, work: () => void): void {
  for (let done = 0; done < count; done++) work()
}

function heapBytes(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}
