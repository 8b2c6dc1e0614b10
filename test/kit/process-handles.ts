/** Loaded into the process of a gateway before anything else: lets a test trouble the process from inside. */
import { getHeapStatistics } from 'node:v8'

export type Handle =
  /** Keeps the thread busy. */
  | { readonly ask: 'block'; readonly ms: number }
  /** Fills the heap with what lives, in place of what was held before. */
  | { readonly ask: 'hold'; readonly mebibytes: number }
  | { readonly ask: 'fault'; readonly at: 'timer' | 'turn' | 'rejection' | 'emitter' }
  | { readonly ask: 'usage' }

export interface Told {
  readonly usedMebibytes: number
  /** Processor time so far. */
  readonly busyMs: number
}

const mebibyte = 1_048_576
/** Stands for what a fault must never show: it names an address and a piece of a prompt. */
const faultMessage = 'connect ECONNREFUSED 10.1.2.3:1234 canary-of-a-fault'
let held: number[][] = []

process.on('message', (handle: Handle) => {
  act(handle)
  const { user, system } = process.cpuUsage()
  process.send?.({
    usedMebibytes: getHeapStatistics().used_heap_size / mebibyte,
    busyMs: (user + system) / 1_000,
  } satisfies Told)
})

function act(handle: Handle): void {
  switch (handle.ask) {
    case 'block': {
      const endsAt = performance.now() + handle.ms
      while (performance.now() < endsAt);
      return
    }
    case 'hold':
      held = []
      // Eight bytes for each number that is not an integer.
      for (let index = 0; index < handle.mebibytes; index += 1) held.push(new Array<number>(131_072).fill(0.5))
      globalThis.gc?.()
      return
    case 'fault':
      fault(handle.at)
      return
    case 'usage':
  }
}

function fault(at: Extract<Handle, { ask: 'fault' }>['at']): void {
  const error = new Error(faultMessage)
  const raise = (): never => {
    throw error
  }
  if (at === 'timer') setTimeout(raise, 0)
  else if (at === 'turn') setImmediate(raise)
  else if (at === 'rejection') void Promise.reject(error)
  else process.nextTick(() => process.stdin.emit('error', error))
}
