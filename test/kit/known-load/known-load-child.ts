/**
 * Doubles of known speeds and the clients that ask for them, in a process of their own, so that neither the gateway nor
 * Prometheus holds up their clock: `node known-load-child.ts HOSTS` with a JSON list of KnownHostSpeed. It says
 * `hosts {name: url}`, and answers the messages of known-load.ts.
 */
import { systemClock } from '../../../src/base/clock.ts'
import type { JournalEntry } from '../lmx-double/journal.ts'
import { startLmxDouble } from '../lmx-double/lmx-double.ts'
import type { KnownHostSpeed, LoadMessage, LoadTruth } from './known-load.ts'
import { type KnownRequest, unixMs } from './known-request.ts'
import { idIn, MixedClients } from './mixed-clients.ts'
import { quantileOf } from './truth.ts'

const speeds = JSON.parse(process.argv[2] ?? '[]') as readonly KnownHostSpeed[]
const clock = { ...systemClock, now: unixMs, wallMs: unixMs }
let clients: MixedClients | null = null

const doubles = await Promise.all(
  speeds.map(async ({ name, ...options }) => {
    const onTokens = (entry: JournalEntry, tokens: number) => tokensSent(name, entry, tokens)
    return { name, double: await startLmxDouble({ ...options, clock, onTokens, journalMax: 1_000_000 }) }
  }),
)
const urls = Object.fromEntries(doubles.map(({ name, double }) => [name, double.url]))
process.stdout.write(`hosts ${JSON.stringify(urls)}\n`)

process.on('message', (message: LoadMessage) => {
  if ('begin' in message) {
    clients = new MixedClients(message.begin)
    clients.begin()
    process.send?.({ begun: true })
  } else void end()
})
process.once('disconnect', () => process.exit())

async function end(): Promise<void> {
  await clients?.end()
  for (const { name, double } of doubles) {
    for (const entry of double.inferenceRequests) noteEnd(name, entry)
  }
  const { requests = [], lagsMs = [] } = clients ?? {}
  process.send?.({ requests, lagMs: quantileOf(lagsMs, 0.9) } satisfies LoadTruth)
}

function tokensSent(host: string, entry: JournalEntry, tokens: number): void {
  const request = requestOf(entry)
  if (request === undefined) return
  const nowMs = unixMs()
  request.host = host
  for (let count = 0; count < tokens; count += 1) request.tokensAtMs.push(nowMs)
}

function noteEnd(host: string, entry: JournalEntry): void {
  const request = requestOf(entry)
  if (request === undefined) return
  request.host = host
  request.arrivedMs = entry.startedMs
  request.hostEndedMs = entry.endedMs
}

function requestOf({ json }: JournalEntry): KnownRequest | undefined {
  return clients?.requests[idIn(json)]
}
