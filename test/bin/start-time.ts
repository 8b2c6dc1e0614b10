/** Measures a start from the command to the first listening line: `node test/bin/start-time.ts [starts]`. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { launch } from '../kit/child-process.ts'
import { listen } from '../kit/servers.ts'

const starts = Number(process.argv[2] ?? 15)
if (!Number.isInteger(starts) || starts < 1 || starts > 1_000) {
  throw new Error('usage: node test/bin/start-time.ts [1 to 1000]')
}

const closed = await listen(createServer())
await closed.close()
const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-start-'))
const args = ['--host-url', closed.url, '--port', '0', '--admin-port', '0', '--store', join(folder, 'gateway.db')]

// The first start may have to compile everything, and its times go into the cache for the others.
const first = await startMs()
const times: number[] = []
for (let start = 0; start < starts; start++) times.push(await startMs())
await rm(folder, { recursive: true })
times.sort((a, b) => a - b)
const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0)
console.log(
  `start to listening on Node ${process.versions.node}, ${starts} starts after one of ${Math.round(first)} ms:`,
)
console.log(`min ${at(0)} ms, median ${at(0.5)} ms, max ${at(1)} ms`)

async function startMs(): Promise<number> {
  const began = performance.now()
  await using gateway = launch(args, { cwd: tmpdir() })
  await gateway.said(/listening/)
  const tookMs = performance.now() - began
  // The compile cache is written after the line is out.
  await gateway.said(/not reachable/)
  gateway.signal('SIGTERM')
  await gateway.end()
  return tookMs
}
