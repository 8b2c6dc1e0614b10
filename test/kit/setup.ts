/** What no test may do unseen: write to the console, leave a rejection unhandled, leak listeners. */

import { afterAll, afterEach } from 'vitest'

const consoleMethods = ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const
const seen: string[] = []

for (const method of consoleMethods) {
  console[method] = (...args: unknown[]) => {
    seen.push(`console.${method}: ${args.map(String).join(' ')}`)
  }
}

process.on('unhandledRejection', (reason) => {
  seen.push(`unhandled rejection: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`)
})

process.on('warning', (warning) => {
  if (warning.name === 'MaxListenersExceededWarning') seen.push(warning.stack ?? warning.message)
})

const nothingLeftBehind = async () => {
  // Node tells of rejections and warnings only after the turn in which they happened.
  await new Promise((resolve) => setImmediate(resolve))
  const left = seen.splice(0)
  if (left.length > 0) throw new Error(`a test must not leave this behind:\n${left.join('\n')}`)
}

afterEach(nothingLeftBehind)
afterAll(nothingLeftBehind)
