/**
 * Preloaded into the gateway's process, beside the program: how long each turn of its event loop held it, and what of that
 * was garbage collection. It is asked over the socket that its URL names (loop-probe-reader.ts).
 *
 * What it costs: 0.4 µs a turn and 3 µs a half millisecond at work, under 1 % of a core; nothing while the loop waits.
 */
import { createServer, type Socket } from 'node:net'
import { PerformanceObserver, performance } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
import { type AskedOfProbe, LoopTurns } from './loop-probe-turns.ts'

/** Reading the processor time of each turn would cost more than most turns; so much of short ones is taken for one. */
const grainMs = 0.5

// Threads of the program preload it as well.
if (isMainThread) watch(new URL(import.meta.url).searchParams.get('socket'))

function watch(socketPath: string | null): void {
  if (socketPath === null) throw new Error('the probe of the event loop wants ?socket=PATH')
  const turns = new LoopTurns()
  lookAtEachTurn(turns)
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) turns.collected(entry)
  }).observe({ entryTypes: ['gc'] })
  createServer((socket) => answer(socket, turns))
    .listen(socketPath)
    .unref()
}

/**
 * An immediate that is not waited for comes once in each turn, after its input, and lets the loop wait all the same.
 * The processor time of the thread between two of them is what the turn held: not what it waited, nor what other programs
 * or the machine below took of it.
 */
function lookAtEachTurn(turns: LoopTurns): void {
  let atMs = performance.now()
  let cpuUs = threadCpuUs()
  function look(): void {
    const nowMs = performance.now()
    if (nowMs - atMs >= grainMs) {
      const nowCpuUs = threadCpuUs()
      turns.held(nowMs, Math.min(nowMs - atMs, (nowCpuUs - cpuUs) / 1_000), nowMs - atMs)
      atMs = nowMs
      cpuUs = nowCpuUs
    }
    setImmediate(look).unref()
  }
  setImmediate(look).unref()
}

/** The system brings the account of a thread up to date when that of its process is asked for, else once a tick: 10 ms late. */
function threadCpuUs(): number {
  process.cpuUsage()
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** One line asks, one line answers. */
function answer(socket: Socket, turns: LoopTurns): void {
  socket.unref().setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (line: string) => {
    const { ask } = JSON.parse(line) as AskedOfProbe
    socket.write(`${JSON.stringify(ask === 'turns' ? turns.take() : memoryAfterCollection())}\n`)
  })
}

/** What lives, where the process lets itself be told to collect (--expose-gc). */
function memoryAfterCollection(): NodeJS.MemoryUsage {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage()
}
