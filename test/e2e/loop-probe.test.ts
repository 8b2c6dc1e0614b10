/** The probe that the benchmark preloads into a gateway: what it takes for a turn of the event loop, in a process of its own. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { LoopProbe } from '../bench/loop-probe-reader.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'

const held = 30
/** Asked for that of the process as well, the system brings the account of the thread up to date. */
const spent = `function spent(from) {
    process.cpuUsage()
    const { user, system } = process.threadCpuUsage(from)
    return (user + system) / 1000
  }`
const program = {
  busy: `${spent}
    setInterval(() => { const from = process.threadCpuUsage(); while (spent(from) < ${held}); }, 100)`,
  slices: `const { setImmediate: turn } = require('timers/promises')
    ${spent}
    setInterval(async () => { for (let at = 0; at < 60; at++) { await turn(); const from = process.threadCpuUsage(); while (spent(from) < 1); } }, 100)`,
  waiting: 'setTimeout(() => {}, 60000)',
  thread: `const { Worker } = require('worker_threads')
    new Worker('for (;;);', { eval: true })`,
}

test.each([
  ['turns that hold the loop are told, each for as long as it held', 'busy', held],
  ['work that lets others have their turn holds the loop for no longer than its turns', 'slices', 1],
  ['a loop that waits is held by nobody', 'waiting', 0],
  ['a thread of the process is another loop', 'thread', 0],
] as const)('%s', async (_what, name, heldMs) => {
  await using probe = await LoopProbe.make()
  await using child = new RunningProcess(
    process.execPath,
    [...probe.nodeArgs, '-e', `${program[name]}; console.log('up')`],
    {
      cwd: repositoryRoot,
    },
  )
  await child.said(/up/)
  await probe.turns()
  await pause(500)
  const { longest } = await probe.turns()
  const longestMs = longest[0]?.heldMs ?? 0
  expect(longestMs).toBeGreaterThanOrEqual(heldMs * 0.9)
  // What else the process does, as it starts.
  expect(longestMs).toBeLessThan(heldMs + 15)
  expect((await probe.memory()).heapUsed).toBeGreaterThan(0)
})
