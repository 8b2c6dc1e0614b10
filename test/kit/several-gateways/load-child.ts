/**
 * Doubles and the clients that ask for them: `node load-child.ts HOSTS` with a JSON list of HostWanted. It says
 * `hosts {name: url}`, and answers the messages of load.ts.
 */
import { systemClock } from '../../../src/base/clock.ts'
import type { JournalEntry } from '../lmx-double/journal.ts'
import { startLmxDouble } from '../lmx-double/lmx-double.ts'
import { Clients } from './clients.ts'
import type { HostWanted, LoadMessage } from './load.ts'
import { type HostedRequest, type Truth, unixMs } from './seen.ts'

const wanted = JSON.parse(process.argv[2] ?? '[]') as readonly HostWanted[]
const clock = { ...systemClock, now: unixMs, wallMs: unixMs }
const clients = new Clients()
const tokens = new WeakMap<JournalEntry, [number, number][]>()

const doubles = await Promise.all(
  wanted.map(async ({ name, ...options }) => {
    const onTokens = (entry: JournalEntry, count: number) => {
      const known = tokens.get(entry) ?? []
      known.push([unixMs(), count])
      tokens.set(entry, known)
    }
    return { name, double: await startLmxDouble({ ...options, clock, onTokens, journalMax: 1_000_000 }) }
  }),
)
const urls = Object.fromEntries(doubles.map(({ name, double }) => [name, double.url]))
process.stdout.write(`hosts ${JSON.stringify(urls)}\n`)

process.on('message', (message: LoadMessage) => void answer(message))
process.once('disconnect', () => process.exit())

async function answer(message: LoadMessage): Promise<void> {
  if ('begin' in message) clients.begin(message.begin, message.url)
  else if ('stop' in message) await clients.stop()
  if ('tell' in message) process.send?.(truth())
  else process.send?.('count' in message ? clients.counts : {})
}

function truth(): Truth {
  const hosted = doubles.flatMap(({ name, double }) =>
    double.inferenceRequests.map(
      (entry): HostedRequest => ({
        id: String(entry.headers['x-request-id']),
        host: name,
        arrivedMs: entry.startedMs,
        endedMs: entry.endedMs,
        endedBy: entry.endedBy,
        input: entry.promptTokens,
        output: entry.tokens,
        tokens: tokens.get(entry) ?? [],
      }),
    ),
  )
  return { seen: clients.seen, hosted }
}
