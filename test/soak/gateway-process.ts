/** The gateway as a process of its own, which the soak can ask for its heap after a collection. */
import { systemClock } from '../../src/base/clock.ts'
import { createGateway } from '../../src/gateway.ts'
import { createLog } from '../../src/observe/log-writer.ts'
import { type ConfigInput, configOf } from '../kit/config-of.ts'

export type ToGateway = { readonly ask: 'heap' } | { readonly ask: 'stop' }

export type FromGateway =
  | { readonly tell: 'listening'; readonly dataUrl: string; readonly adminUrl: string }
  | { readonly tell: 'heap'; readonly heapBytes: number }

const config = configOf(JSON.parse(process.argv[2] ?? '{}') as ConfigInput)
const log = createLog(config.log, process.stderr, systemClock)
const gateway = createGateway(config, { version: '0.0.0-soak', log, logDropped: () => log.dropped() })
const urls = await gateway.start()
await gateway.firstProbes()
tell({ tell: 'listening', ...urls })

process.on('message', (message: ToGateway) => void answer(message))

async function answer({ ask }: ToGateway): Promise<void> {
  if (ask === 'heap') return tell({ tell: 'heap', heapBytes: await heapAfterCollection() })
  await gateway.stop()
  process.disconnect?.()
}

/** Finalizers and weak references take a turn of the event loop each until all is gone. */
async function heapAfterCollection(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    await globalThis.gc?.({ execution: 'async' })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return process.memoryUsage().heapUsed
}

function tell(message: FromGateway): void {
  process.send?.(message)
}
