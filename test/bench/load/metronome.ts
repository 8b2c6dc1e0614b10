/**
 * Says when something is due, to some hundredths of a millisecond: the timers of Node go by whole milliseconds. A thread of
 * its own sleeps until then, since one that serves sockets may not.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { nowNs } from './token-event.ts'

/** Calls `onDue` with the index of each time, in their order, and resolves after the last; in ns. */
export async function atEach(timesNs: Float64Array, onDue: (index: number) => void): Promise<void> {
  if (timesNs.length === 0) return
  const worker = new Worker(new URL(import.meta.url), { workerData: timesNs })
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (index: number) => {
      onDue(index)
      if (index === timesNs.length - 1) resolve()
    })
    worker.on('error', reject)
  })
  await worker.terminate()
}

if (!isMainThread && workerData instanceof Float64Array) beat(workerData)

function beat(timesNs: Float64Array): void {
  const never = new Int32Array(new SharedArrayBuffer(4))
  for (const [index, dueNs] of timesNs.entries()) {
    const waitMs = (dueNs - nowNs()) / 1e6
    if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port between threads has no origin
    parentPort?.postMessage(index)
  }
}
