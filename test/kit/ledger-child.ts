/**
 * A gateway's ledger under load, to be killed: `node ledger-child.ts PATH PREFIX [BATCH MS]`; with the last two it kills
 * itself so long into the writing of that batch. It tells what it writes (told-writes.ts).
 */
import { systemClock } from '../../src/base/clock.ts'
import { Ledger } from '../../src/metering/ledger.ts'
import { openStore } from '../../src/stores/open-store.ts'
import { silentLog } from './silent-log.ts'
import { admittedRequest, figuresSoFar, settledRequest } from './stored-rows.ts'
import { toldWrites } from './told-writes.ts'

const [path = '', prefix = '', lastBatch = '0', dieAfterMs = '0'] = process.argv.slice(2)
const liveMax = 40
const beganEachTurn = 3

const store = await openStore({ path, role: 'gateway' })
const ledger = new Ledger(
  { pendingRowsMax: 100_000, whenFull: 'continue' },
  {
    clock: systemClock,
    log: silentLog,
    store: toldWrites((rows, number) => {
      const written = store.ledger.write(rows)
      if (number === Number(lastBatch)) dieAfter(Number(dieAfterMs))
      return written
    }),
  },
)

const live: { id: string; output: number }[] = []
let begun = 0

// Streams that outlive the process.
const long = Array.from({ length: 10 }, (_, at) => ({ id: `${prefix}-long${at}`, output: 0 }))
for (const request of long) ledger.admitted(admittedRequest(request.id), () => figuresSoFar(request.output))

/** A few begin, all go on, the oldest end. */
function turn(): void {
  for (let at = 0; at < beganEachTurn; at += 1) {
    begun += 1
    const request = { id: `${prefix}-${begun}`, output: 0 }
    live.push(request)
    ledger.admitted(admittedRequest(request.id), () => figuresSoFar(request.output))
  }
  for (const request of [...long, ...live]) request.output += 1
  while (live.length > liveMax) {
    const { id, output } = live.shift()!
    ledger.settled(id, settledRequest(output))
  }
}

process.stdout.write('runs\n')
setInterval(turn, 3)

/** Holds up this thread alone: the other one writes. */
function dieAfter(ms: number): void {
  const endsAt = systemClock.now() + ms
  while (systemClock.now() < endsAt);
  process.kill(process.pid, 'SIGKILL')
}
