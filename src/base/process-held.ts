/** Timers of the clock do not keep the process alive: what it has to wait for with nothing else open does so here. */
import { MessageChannel } from 'node:worker_threads'

export async function withProcessHeld<Result>(work: () => Promise<Result>): Promise<Result> {
  const { port1 } = new MessageChannel()
  port1.ref()
  try {
    return await work()
  } finally {
    port1.close()
  }
}
