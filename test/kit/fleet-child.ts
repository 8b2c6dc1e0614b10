/**
 * A gateway's ledger among several, under load, to be killed: `node fleet-child.ts REDIS_URL FLEET PATH PREFIX`. Each line
 * stands before the next thing happens: `b 3 ID=OUTPUT ID=OUTPUT! …` as the third batch begins (`!` where it is settled), `w 3` once it
 * is written.
 */
import { systemClock } from '../../src/base/clock.ts'
import { Ledger } from '../../src/metering/ledger.ts'
import { openFleetMember } from './redis-stores.ts'
import { silentLog } from './silent-log.ts'
import { admittedRequest, figuresSoFar, settledRequest } from './stored-rows.ts'

const [url = '', fleet = '', path = '', prefix = ''] = process.argv.slice(2)
const liveMax = 20

const { store } = await openFleetMember({ url, fleet, path, name: prefix })
let batches = 0
const ledger = new Ledger(
  { pendingRowsMax: 100_000, whenFull: 'continue' },
  {
    clock: systemClock,
    log: silentLog,
    store: {
      async write(rows) {
        batches += 1
        const number = batches
        const told = rows.map(({ admitted, figures, settled }) =>
          settled === null ? `${admitted.id}=${figures?.output ?? 0}` : `${admitted.id}=${settled.output}!`,
        )
        process.stdout.write(`b ${number} ${told.join(' ')}\n`)
        await store.ledger.write(rows)
        process.stdout.write(`w ${number}\n`)
      },
    },
  },
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
