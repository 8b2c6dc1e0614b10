/** Loaded into the process of a gateway before anything else: lets a test trouble the process from inside. */
import { closeSync, openSync } from 'node:fs'
import { getHeapStatistics } from 'node:v8'

export type Handle =
  /** Keeps the thread busy. */
  | { readonly ask: 'block'; readonly ms: number }
  /** Fills the heap with what lives, in place of what was held before. */
  | { readonly ask: 'hold'; readonly mebibytes: number }
  /** Takes every file descriptor there is, or gives them all back. */
  | { readonly ask: 'files'; readonly taken: boolean }
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
/** Eight bytes for each number that is not an integer. */
const oneMebibyte = Array.from({ length: mebibyte / 8 }, () => 0.5)
let held: number[][] = []
const files: number[] = []

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
      for (let index = 0; index < handle.mebibytes; index += 1) held.push([...oneMebibyte])
      globalThis.gc?.()
      return
    case 'files':
      for (const file of files.splice(0)) closeSync(file)
      if (handle.taken) takeFiles()
      return
    case 'fault':
      fault(handle.at)
      return
    case 'usage':
  }
}

function takeFiles(): void {
  try {
    for (;;) files.push(openSync('/dev/null', 'r'))
  } catch {
    // None is left.
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
