/** The ledger's batches, in time that the test owns. */

import { beforeEach, describe, expect, test } from 'vitest'
import type { LogFields } from '../../../src/base/log.ts'
import { StoreError } from '../../../src/base/store-error.ts'
import { Ledger } from '../../../src/metering/ledger.ts'
import type { LedgerRow } from '../../../src/metering/ledger-store.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { admittedRequest, figuresSoFar, settledRequest } from '../../kit/stored-rows.ts'

/** Fails or takes its time when told to; keeps what it was given. */
class ScriptedStore {
  problem: string | null = null
  /** While it is there, a write waits for it. */
  gate: PromiseWithResolvers<void> | null = null
  readonly batches: (readonly LedgerRow[])[] = []
  tries = 0
  writing = 0
  writingMax = 0

  async write(rows: readonly LedgerRow[]): Promise<void> {
    this.tries += 1
    this.writing += 1
    this.writingMax = Math.max(this.writingMax, this.writing)
    try {
      await this.gate?.promise
      if (this.problem !== null) throw new StoreError(this.problem)
      this.batches.push(rows)
    } finally {
      this.writing -= 1
    }
  }

  /** `id: what is known`, batch by batch. */
  get written(): string[][] {
    return this.batches.map((rows) =>
      rows.map(({ admitted, figures, settled }) => {
        const known = settled === null ? `runs, ${figures?.output ?? 'nothing'}` : `settled, ${settled.output}`
        return `${admitted.id}: ${known}`
      }),
    )
  }
}

let clock: FakeClock
let store: ScriptedStore
let lines: { level: string; message: string; fields: LogFields }[]

beforeEach(() => {
  clock = new FakeClock()
  store = new ScriptedStore()
  lines = []
})

const ledgerWith = (options: Partial<ConstructorParameters<typeof Ledger>[0]> = {}) =>
  new Ledger(
    { pendingRowsMax: 1_000, whenFull: 'continue', ...options },
    { store, clock, log: (level, message, fields = {}) => lines.push({ level, message, fields }) },
  )

const admit = (ledger: Ledger, id: string, output = 0) =>
  ledger.admitted(admittedRequest(id), () => figuresSoFar(output))
const settle = (ledger: Ledger, id: string, output = 5) => ledger.settled(id, settledRequest(output))
const fill = (ledger: Ledger, rows: number, prefix = 'r') => {
  for (let at = 0; at < rows; at += 1) {
    admit(ledger, `${prefix}${at}`)
    settle(ledger, `${prefix}${at}`)
  }
}

describe('batches', () => {
  test('a request that begins and ends within one batch is one row of it', async () => {
    const ledger = ledgerWith()
    admit(ledger, 'a')
    settle(ledger, 'a')
    expect(ledger.state()).toEqual({ pendingRows: 1, lostRows: 0, errors: 0, problem: null })
    await clock.advance(499)
    expect(store.tries).toBe(0)
    await clock.advance(1)
    expect(store.written).toEqual([['a: settled, 5']])
    expect(ledger.state().pendingRows).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  test('its admission is in the next batch, what it generated in those after, its end in the last', async () => {
    const ledger = ledgerWith()
    let output = 0
    ledger.admitted(admittedRequest('a'), () => figuresSoFar(output))
    await clock.advance(500)
    output = 7
    await clock.advance(500)
    // Nothing new is written again.
    await clock.advance(1_000)
    output = 9
    await clock.advance(499)
    settle(ledger, 'a', 10)
    await clock.advance(1_000)
    expect(store.written).toEqual([['a: runs, 0'], ['a: runs, 7'], ['a: settled, 10']])
    expect(clock.pendingTimers).toBe(0)
  })

  test('of thousands that run, each is looked at once in a round, five hundred in a turn', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 5_000 })
    let output = 0
    let looks = 0
    const looksByBatch: number[] = []
    const progress = () => {
      looks += 1
      output += 1
      return figuresSoFar(output)
    }
    for (let at = 0; at < 1_700; at += 1) ledger.admitted(admittedRequest(`r${at}`), progress)
    await clock.advance(499)
    const opened = store.batches.length
    store.write = async (rows) => {
      store.batches.push(rows)
      looksByBatch.push(looks)
      looks = 0
    }
    for (const round of [1, 2, 3]) {
      looks = 0
      await clock.advance(500)
      const batches = store.batches.splice(opened)
      const ids = batches.flatMap((rows) => rows.map(({ admitted }) => admitted.id))
      expect(new Set(ids).size, `round ${round}`).toBe(ids.length)
      if (round > 1) expect(ids.length).toBe(1_700)
      // One look tells whether there is something new, another what it is by the time it is written.
      expect(Math.max(...looksByBatch.splice(0))).toBeLessThanOrEqual(1_000)
    }
  })

  test('five hundred rows do not wait for the time, and no batch has more', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 5_000 })
    fill(ledger, 1_200)
    expect(store.tries).toBe(0)
    await clock.advance(0)
    expect(store.batches.map((rows) => rows.length)).toEqual([500, 500])
    await clock.advance(500)
    expect(store.batches.map((rows) => rows.length)).toEqual([500, 500, 200])
  })

  test('one write at a time; what changes meanwhile is written again, and no row twice', async () => {
    const ledger = ledgerWith()
    store.gate = Promise.withResolvers()
    admit(ledger, 'a')
    await clock.advance(500)
    expect(store.writing).toBe(1)
    settle(ledger, 'a')
    admit(ledger, 'b')
    await clock.advance(5_000)
    expect(store.tries).toBe(1)
    store.gate.resolve()
    store.gate = null
    await clock.advance(500)
    expect(store.written).toEqual([['a: runs, 0'], ['a: settled, 5', 'b: runs, 0']])
    expect(store.writingMax).toBe(1)
  })

  test('an end without a beginning, or a second one, is no row', async () => {
    const ledger = ledgerWith()
    settle(ledger, 'nobody')
    admit(ledger, 'a')
    settle(ledger, 'a', 5)
    settle(ledger, 'a', 6)
    await clock.advance(1_000)
    expect(store.written).toEqual([['a: settled, 5']])
  })
})

describe('a store that cannot be written', () => {
  test('G07: rows of a failed batch stay, in their order, and none is lost or written twice', async () => {
    const ledger = ledgerWith()
    store.problem = 'the disk is full'
    fill(ledger, 3)
    await clock.advance(500)
    fill(ledger, 2, 's')
    expect(ledger.state()).toEqual({ pendingRows: 5, lostRows: 0, errors: 1, problem: 'the disk is full' })
    await clock.advance(1_000)
    expect(ledger.state().errors).toBe(2)
    store.problem = null
    await clock.advance(2_000)
    expect(store.written).toEqual([['r0', 'r1', 'r2', 's0', 's1'].map((id) => `${id}: settled, 5`)])
    expect(ledger.state()).toEqual({ pendingRows: 0, lostRows: 0, errors: 2, problem: null })
    expect(clock.pendingTimers).toBe(0)
  })

  test('G07: a batch that is half through when the store breaks is tried again whole', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 5_000 })
    fill(ledger, 700)
    store.gate = Promise.withResolvers()
    await clock.advance(0)
    store.problem = 'the disk is broken'
    store.gate.resolve()
    store.gate = null
    await clock.advance(0)
    expect(ledger.state()).toMatchObject({ pendingRows: 700, errors: 1 })
    store.problem = null
    await clock.advance(2_000)
    expect(store.batches.flat().map(({ admitted }) => admitted.id)).toEqual(
      Array.from({ length: 700 }, (_, at) => `r${at}`),
    )
  })

  test('it is tried after 1, 2, 4, 8, 16 and then each 30 seconds, whatever comes in', async () => {
    const ledger = ledgerWith()
    store.problem = 'no'
    fill(ledger, 600)
    await clock.advance(0)
    const tries: number[] = []
    for (let second = 1; second <= 100; second += 1) {
      const before = store.tries
      fill(ledger, 1, `s${second}`)
      await clock.advance(1_000)
      if (store.tries > before) tries.push(second)
    }
    expect(tries).toEqual([1, 3, 7, 15, 31, 61, 91])
  })

  test('one alarm for each change of state, with what to do, and one when it is over', async () => {
    const ledger = ledgerWith()
    store.problem = 'one: do this'
    fill(ledger, 1)
    await clock.advance(60_000)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ level: 'error', fields: { problem: 'one: do this', pendingRowsMax: 1_000 } })
    store.problem = 'two'
    await clock.advance(60_000)
    expect(lines).toHaveLength(2)
    store.problem = null
    await clock.advance(60_000)
    expect(lines).toHaveLength(3)
    expect(lines[2]).toMatchObject({ level: 'warn', message: 'The ledger is written again', fields: { lostRows: 0 } })
  })

  test('beyond what is held further requests are lost, counted and said once; what was admitted is kept', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 10 })
    admit(ledger, 'early')
    await clock.advance(500)
    store.problem = 'no'
    fill(ledger, 12)
    settle(ledger, 'early')
    expect(ledger.state()).toMatchObject({ pendingRows: 11, lostRows: 2 })
    expect(ledger.full).toBe(false)
    await clock.advance(500)
    expect(lines.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Rows of the ledger are being lost/),
      expect.stringMatching(/^The ledger cannot be written/),
    ])
    store.problem = null
    await clock.advance(2_000)
    expect(store.batches.flat()).toHaveLength(12)
    expect(lines.at(-1)?.fields['lostRows']).toBe(2)
    fill(ledger, 1, 'later')
    await clock.advance(500)
    expect(ledger.state()).toMatchObject({ pendingRows: 0, lostRows: 2 })
  })

  test('or it says that it is full, and loses nothing of what had been let in', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 10, whenFull: 'refuse' })
    store.problem = 'no'
    fill(ledger, 9)
    expect(ledger.full).toBe(false)
    fill(ledger, 2, 's')
    expect(ledger.full).toBe(true)
    store.problem = null
    await clock.advance(2_000)
    expect(ledger.full).toBe(false)
    expect(ledger.state()).toMatchObject({ pendingRows: 0, lostRows: 0 })
    expect(store.batches.flat()).toHaveLength(11)
  })
})

describe('at a stop', () => {
  test('all that is left is written, what still runs as far as it is', async () => {
    const ledger = ledgerWith({ pendingRowsMax: 5_000 })
    fill(ledger, 1_200)
    admit(ledger, 'runs', 3)
    await ledger.flush(5_000)
    expect(store.batches.map((rows) => rows.length)).toEqual([500, 500, 201])
    expect(store.written.at(-1)?.at(-1)).toBe('runs: runs, 3')
    expect(clock.pendingTimers).toBe(0)
    expect(lines).toEqual([])
  })

  test('a store that fails is tried again until the time is over; then the log says how much is lost', async () => {
    const ledger = ledgerWith()
    store.problem = 'no'
    fill(ledger, 3)
    const flushed = ledger.flush(1_000)
    await clock.advance(999)
    expect(store.tries).toBeGreaterThan(5)
    await clock.advance(1)
    await flushed
    expect(ledger.state()).toMatchObject({ pendingRows: 0, lostRows: 3 })
    expect(lines.at(-1)).toMatchObject({ level: 'error', fields: { rows: 3, problem: 'no' } })
    expect(clock.pendingTimers).toBe(0)
  })

  test('a store that answers again in time has it all', async () => {
    const ledger = ledgerWith()
    store.problem = 'no'
    fill(ledger, 3)
    const flushed = ledger.flush(1_000)
    await clock.advance(500)
    store.problem = null
    await clock.advance(200)
    await flushed
    expect(store.batches.flat()).toHaveLength(3)
    expect(ledger.state()).toMatchObject({ pendingRows: 0, lostRows: 0 })
  })

  test('a store that does not answer holds up no stop', async () => {
    const ledger = ledgerWith()
    store.gate = Promise.withResolvers()
    fill(ledger, 3)
    const flushed = ledger.flush(1_000)
    await clock.advance(1_000)
    await flushed
    expect(ledger.state().lostRows).toBe(3)
    store.gate.resolve()
  })
})
