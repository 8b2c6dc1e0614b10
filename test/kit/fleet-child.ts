/**
 * A gateway's ledger among several, under load, to be killed: `node fleet-child.ts REDIS_URL FLEET PATH PREFIX`. It tells
 * what it writes (told-writes.ts).
 */
import { systemClock } from '../../src/base/clock.ts'
import { Ledger } from '../../src/metering/ledger.ts'
import { openFleetMember } from './redis-stores.ts'
import { silentLog } from './silent-log.ts'
import { admittedRequest, figuresSoFar, settledRequest } from './stored-rows.ts'
import { toldWrites } from './told-writes.ts'

const [url = '', fleet = '', path = '', prefix = ''] = process.argv.slice(2)
const liveMax = 20

const { store } = await openFleetMember({ url, fleet, path, name: prefix })
const ledger = new Ledger(
  { pendingRowsMax: 100_000, whenFull: 'continue' },
  { clock: systemClock, log: silentLog, store: toldWrites((rows) => store.ledger.write(rows)) },
)

const live: { id: string; output: number }[] = []
let begun = 0

/** One begins, all go on, the oldest ends. */
function turn(): void {
  begun += 1
  const request = { id: `${prefix}-${begun}`, output: 0 }
  live.push(request)
  const startedAtMs = systemClock.wallMs()
  ledger.admitted(admittedRequest(request.id, { startedAtMs }), () => figuresSoFar(request.output))
  for (const one of live) one.output += 1
  while (live.length > liveMax) {
    const { id, output } = live.shift()!
    ledger.settled(id, settledRequest(output))
  }
}

process.stdout.write('runs\n')
setInterval(turn, 5)
