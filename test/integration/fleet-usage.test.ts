/** Rows of the ledger that gateways give each other through a real Redis: whatever fails, none is lost and none is there twice. */
import { DatabaseSync } from 'node:sqlite'
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { StoreError } from '../../src/base/store-error.ts'
import type { LedgerRow } from '../../src/metering/ledger-store.ts'
import { openStore } from '../../src/stores/open-store.ts'
import { storageOptions } from '../../src/stores/options.ts'
import { RedisLink, RedisUnavailable } from '../../src/stores/redis/link.ts'
import { UsageHandOver } from '../../src/stores/redis/usage-hand-over.ts'
import type { Store } from '../../src/stores/store.ts'
import { RunningProcess, repositoryRoot } from '../kit/child-process.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { type FleetMember, type FleetMemberSettings, openFleetMember } from '../kit/redis-stores.ts'
import { silentLog } from '../kit/silent-log.ts'
import { admittedRequest, figuresSoFar, scratchFolder, settledRequest, usageQuery } from '../kit/stored-rows.ts'
import { becomesTrue, eventually } from '../kit/within.ts'

const longMs = 30_000
const isLong = process.env['TEST_LONG'] === 'true'
const nowMs = systemClock.wallMs()

/** What a ledger tells of all its rows, by model, since tests name the rows so. */
async function rowsOf({ ledger }: Pick<Store, 'ledger'>): Promise<readonly string[]> {
  const sums = await ledger.usage(usageQuery({ by: ['model'] }))
  return sums.map(({ group, requests, unfinished, output }) => `${group.model} ${requests} ${unfinished} ${output}`)
}

/** Under the time of now, as of a gateway that runs. */
function row(id: string, output: number | null, isSettled = output !== null): LedgerRow {
  return {
    admitted: admittedRequest(id, { model: id, startedAtMs: nowMs }),
    figures: output === null || isSettled ? null : figuresSoFar(output),
    settled: isSettled ? settledRequest(output ?? 0) : null,
  }
}

describe.skipIf(!hasRedis)('usage of a fleet on a real Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(async () => {
    await redis.startAgain()
    await redis.command('FLUSHALL')
  })
  afterAll(() => redis.close())

  async function gateway(settings: Partial<FleetMemberSettings> = {}): Promise<FleetMember & { log: string[] }> {
    const log: string[] = []
    const member = await openFleetMember({
      url: redis.url,
      fleet: 'usage',
      log: (level, message, fields) => void log.push(`${level} ${message} ${JSON.stringify(fields)}`),
      ...settings,
    })
    onTestFinished(() => member.close())
    return { ...member, log }
  }

  function path(): string {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    return folder.storePath
  }

  const has = (one: FleetMember, rows: readonly string[]) =>
    becomesTrue(longMs, rows.join(', '), async () => JSON.stringify(await rowsOf(one.store)) === JSON.stringify(rows))

  it('is the same in each ledger, as requests go on and end', async () => {
    const all = [await gateway({ path: path() }), await gateway({ path: path() }), await gateway()]
    const [a, b] = [all[0]!, all[1]!]
    await a.store.ledger.write([row('a1', null), row('a2', 5)])
    await b.store.ledger.write([row('b1', 7)])
    for (const one of all) await has(one, ['a1 1 1 0', 'a2 1 0 5', 'b1 1 0 7'])
    await a.store.ledger.write([row('a1', 3, false)])
    for (const one of all) await has(one, ['a1 1 1 3', 'a2 1 0 5', 'b1 1 0 7'])
    await a.store.ledger.write([row('a1', 9)])
    for (const one of all) await has(one, ['a1 1 0 9', 'a2 1 0 5', 'b1 1 0 7'])
    expect(a.fleet.handOver()).toMatchObject({ missedRows: 0, takenInRows: 1 })
    await eventually(longMs, 'nothing to wait', () => a.fleet.handOver().waitingRows === 0)
    expect(await b.store.ledger.charges(nowMs)).toHaveLength(3)
  })

  it.each(['killed', 'emptied', 'frozen', 'set back'])('is whole again after Redis was %s', async (how) => {
    const [a, b] = [await gateway({ path: path() }), await gateway()]
    await a.store.ledger.write([row('a1', 1)])
    await has(b, ['a1 1 0 1'])
    if (how === 'set back') await redis.command('SAVE')
    else if (how === 'killed') await redis.kill()
    else if (how === 'frozen') redis.freeze()
    await a.store.ledger.write([row('a2', 2), row('a3', null)])
    await b.store.ledger.write([row('b1', 4)])
    if (how === 'set back') await has(b, ['a1 1 0 1', 'a2 1 0 2', 'a3 1 1 0', 'b1 1 0 4'])
    if (how === 'emptied') await redis.command('FLUSHALL')
    else if (how === 'frozen') redis.thaw()
    else await redis.startAgain()
    await a.store.ledger.write([row('a3', 8)])
    const whole = ['a1 1 0 1', 'a2 1 0 2', 'a3 1 0 8', 'b1 1 0 4']
    for (const one of [a, b]) await has(one, whole)
    // One that was not there has all of it too, as far as it is not older than what is given again.
    await has(await gateway(), whole)
    expect([...a.log, ...b.log].filter((line) => line.includes('is gone before'))).toEqual([])
  })

  it('reaches one that was away, and what that had in its file reaches the others at its next start', async () => {
    const [away, a] = [path(), await gateway()]
    const b = await openFleetMember({ url: redis.url, fleet: 'usage', path: away })
    await b.store.ledger.write([row('b1', 1)])
    await has(a, ['b1 1 0 1'])
    await b.close()
    await a.store.ledger.write([row('a1', 2)])
    // Without Redis, with the setting: as one that could not reach it and was killed.
    const { redis: options } = storageOptions.parse({ redis: { url: redis.url } })
    const alone = await openStore({ path: away, role: 'gateway', redis: options })
    await alone.ledger.write([row('b2', 4), row('b3', 8, false)])
    await alone.close()
    const again = await gateway({ path: away })
    for (const one of [a, again]) await has(one, ['a1 1 0 2', 'b1 1 0 1', 'b2 1 0 4', 'b3 1 1 8'])
    const requests = (await again.store.ledger.usage(usageQuery()))[0]
    expect(requests).toMatchObject({ requests: 4, output: 15 })
  })

  it('leaves what others have yet to end to them', async () => {
    const own = path()
    const [a, b] = [await gateway(), await openFleetMember({ url: redis.url, fleet: 'usage', path: own })]
    await a.store.ledger.write([row('a1', 3, false)])
    await has(b, ['a1 1 1 3'])
    await b.close()
    const again = await gateway({ path: own })
    await a.store.ledger.write([row('a1', 5)])
    await has(again, ['a1 1 0 5'])
    expect((await again.store.ledger.usage(usageQuery()))[0]).toMatchObject({ failed: 0, unfinished: 0 })
  })

  it('says what was gone before it could be had', async () => {
    const own = path()
    const a = await gateway()
    const b = await openFleetMember({ url: redis.url, fleet: 'usage', path: own })
    await a.store.ledger.write([row('a1', 1)])
    await has(b, ['a1 1 0 1'])
    await b.close()
    await a.store.ledger.write([row('a2', 2)])
    await eventually(longMs, 'the row to be given', () => a.fleet.handOver().handedRows === 2)
    // As a stream that has become too long.
    const stream = 'lmx-gateway:{usage}:usage'
    const last = /(\d+-\d+)/.exec(await redis.command('XREVRANGE', stream, '+', '-', 'COUNT', '1'))![1]!
    await redis.command('XDEL', stream, last)
    await redis.command('HSET', `${stream}:stream`, 'gone', last, 'goneRows', '2')
    const again = await gateway({ path: own })
    await eventually(longMs, 'the loss to be told', () => again.fleet.handOver().missedRows === 1)
    expect(again.log.filter((line) => line.includes('is gone before this one could take it in'))).toHaveLength(1)
  })

  it('goes on past what no gateway has written into the stream, and says so once', async () => {
    const [a, b] = [await gateway({ path: path() }), await gateway()]
    const stream = 'lmx-gateway:{usage}:usage'
    const foreign = (...fields: readonly string[]) => redis.command('XADD', stream, '*', ...fields)
    await foreign('foo', 'bar')
    await a.store.ledger.write([row('a1', 1)])
    await has(b, ['a1 1 0 1'])
    await foreign('by', 'x', 'gateway', 'y', 'rows', '[]', 'total', 'many')
    await foreign('by', 'x', 'gateway', 'y', 'total', '1')
    // As many as one look takes, and more.
    for (let entry = 0; entry < 42; entry += 1) await foreign('foo', 'bar')
    // In another order, and with what a later version may add.
    await foreign('more', '1', 'total', '1', 'rows', '[]', 'gateway', 'y', 'by', 'x')
    await b.store.ledger.write([row('b1', 2)])
    await a.store.ledger.write([row('a2', 3)])
    const whole = ['a1 1 0 1', 'a2 1 0 3', 'b1 1 0 2']
    for (const one of [a, b]) await has(one, whole)
    for (const { fleet, log } of [a, b]) {
      await eventually(longMs, 'all to be counted', () => fleet.handOver().missedRows === 45)
      expect(log.filter((line) => line.includes('are passed over'))).toHaveLength(1)
    }
    // They do not stay where the stream becomes too long.
    await redis.command('HSET', `${stream}:stream`, 'bytes', '999999999')
    let more = 0
    await becomesTrue(longMs, 'the stream to be shorter', async () => {
      more += 1
      await a.store.ledger.write([row(`more${more}`, 1)])
      return !(await redis.command('XRANGE', stream, '-', '+')).includes('foo')
    })
    await has(b, await rowsOf(a.store))
    expect([...a.log, ...b.log].filter((line) => line.startsWith('error'))).toEqual([])
  })

  it('is given to the others by one that cannot take in theirs', async () => {
    const [a, b] = [await gateway(), await gateway()]
    await a.store.ledger.write([row('a1', 1)])
    await has(b, ['a1 1 0 1'])
    const known = 'lmx-gateway:{usage}:usage:stream'
    await redis.command('HSET', known, 'gone', '9999999999999-0', 'goneRows', 'garbage')
    await eventually(longMs, 'the problem to be told', () => a.log.some((line) => line.startsWith('error')))
    await a.store.ledger.write([row('a2', 2)])
    await eventually(longMs, 'the row to be given', () => a.fleet.handOver().handedRows === 2)
    await redis.command('HDEL', known, 'gone', 'goneRows')
    await has(b, ['a1 1 0 1', 'a2 1 0 2'])
    expect(a.fleet.handOver()).toMatchObject({ takenInRows: 0, missedRows: 0 })
  })

  it('of a gateway that is killed is all that its file has, at all of them, once it is started anew', {
    timeout: 180_000,
  }, async () => {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    const other = scratchFolder()
    onTestFinished(() => other[Symbol.dispose]())
    const a = await gateway({ path: other.storePath })
    const script = new URL('../kit/fleet-child.ts', import.meta.url).pathname
    const known = new Map<string, string>()
    for (let kills = 0; kills < (isLong ? 20 : 3); kills += 1) {
      const args = [script, redis.url, 'usage', folder.storePath, `child${kills}`]
      const child = new RunningProcess(process.execPath, args, { cwd: repositoryRoot })
      await child.said(/^w 4$/m, longMs)
      child.signal('SIGKILL')
      await child.ended
      for (const [id, output] of writtenBy(child.out)) known.set(id, output)
    }
    const again = await gateway({ path: folder.storePath })
    const total = async (one: FleetMember) => JSON.stringify(await one.store.ledger.usage(usageQuery({ by: ['day'] })))
    await becomesTrue(longMs, 'both to be the same', async () => (await total(a)) === (await total(again)))
    expect(known.size).toBeGreaterThan(0)
    for (const { usagePath } of [folder, other]) {
      const file = new DatabaseSync(usagePath, { readOnly: true })
      const found = file.prepare('SELECT id, output, "end" = \'--\' AS settled FROM requests').all()
      file.close()
      const rows = new Map(found.map(({ id, output, settled }) => [id, String(output) + (settled === 1 ? '!' : '')]))
      const lost = [...known].filter(([id, text]) => !isAsLate(rows.get(id), text))
      expect(lost).toEqual([])
    }
  })

  it('is whole in the end, whatever fails on the way and however often', { timeout: 120_000 }, async () => {
    const { redis: options } = storageOptions.parse({ redis: { url: redis.url, fleet: 'property' } })
    if (options === undefined) throw new Error('no redis in the options')
    const link = new RedisLink(options, { clock: systemClock, log: silentLog, chance: Math.random })
    await link.start()
    onTestFinished(() => link.close())
    // Writes and turns, and few of those after which all is given again, or nothing that was lost before would show.
    const kinds = 'flush process w w w w w w w w t t t t t t t t t t'.split(' ')
    const callNumber = fc.nat(13).map(String)
    const act = fc.record({
      gateway: fc.nat(2),
      what: fc.constantFrom(...kinds),
      request: fc.nat(5),
      isSettled: fc.boolean(),
      /** Of the calls of a turn, by their numbers. */
      fails: fc.dictionary(callNumber, fc.constantFrom('before', 'after'), { maxKeys: 2 }),
      /** The call of a turn before which the row is written. */
      writesAt: callNumber,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (happens) => {
        await redis.command('FLUSHALL')
        const fleet = await Promise.all([0, 1, 2].map((at) => failing(link, options, at)))
        const outputs = new Map<string, number>()
        for (const { gateway: at, what, request, isSettled, fails, writesAt } of happens) {
          const one = fleet[at]!
          const id = `${at}-${request}`
          const write = async () => {
            if (outputs.has(id)) return
            const output = happens.length + request
            await one.store.ledger.write([row(id, output, isSettled)])
            if (isSettled) outputs.set(id, output)
          }
          if (what === 'flush') await redis.command('FLUSHALL')
          else if (what === 'process') one.renew()
          else if (what === 't') await one.turn(fails, { [writesAt]: write })
          else await write()
        }
        for (let rounds = 0; rounds < 2; rounds += 1) for (const one of fleet) await one.turn({}, {})
        const all = await Promise.all(fleet.map(({ store }) => rowsOf(store)))
        await Promise.all(fleet.map(({ store }) => store.close()))
        expect(all[1]).toEqual(all[0])
        expect(all[2]).toEqual(all[0])
        for (const [id, output] of outputs) expect(all[0]).toContain(`${id} 1 0 ${output}`)
      }),
      { numRuns: isLong ? 3_000 : 60 },
    )
  })
})

/** Whether a row is the one that was written, or a later state of it. */
function isAsLate(found: string | undefined, written: string): boolean {
  if (found === undefined || written.endsWith('!')) return found === written
  return found.endsWith('!') || Number.parseInt(found, 10) >= Number.parseInt(written, 10)
}

/** A store in memory whose calls fail as they are told, before they do anything or after. */
async function failing(link: RedisLink, redis: object, at: number) {
  const store = await openStore({ path: ':memory:', role: 'gateway', redis })
  let fails: Readonly<Record<string, string>> = {}
  let before: Readonly<Record<string, () => Promise<void>>> = {}
  let calls = 0
  const call = async <Result>(work: () => Promise<Result>, error: Error): Promise<Result> => {
    const how = fails[calls]
    const first = before[calls]
    calls += 1
    await first?.()
    if (how === 'before') throw error
    const result = await work()
    if (how === 'after') throw error
    return result
  }
  const away = new RedisUnavailable('as told')
  const failingLink: Pick<RedisLink, 'isUp' | 'key' | 'run'> = {
    isUp: true,
    key: (name) => link.key(name),
    run: (script, keys, args, options) => call(() => link.run(script, keys, args, options), away),
  }
  const full = new StoreError('as told')
  const exchange: Store['exchange'] = {
    waitingRows: () => call(() => store.exchange.waitingRows(), full),
    handOut: (...values) => call(() => store.exchange.handOut(...values), full),
    handedOut: (...values) => call(() => store.exchange.handedOut(...values), full),
    handAnew: (...values) => call(() => store.exchange.handAnew(...values), full),
    takeIn: (...values) => call(() => store.exchange.takeIn(...values), full),
    position: () => call(() => store.exchange.position(), full),
  }
  let lives = 0
  const made = () => {
    lives += 1
    const id = `${at}.${lives}`
    const parts = { link: failingLink, exchange, clock: systemClock, log: silentLog, chance: () => 0, name: id, id }
    return new UsageHandOver(parts)
  }
  let hands = made()
  return {
    store,
    renew: () => {
      hands = made()
    },
    turn: async (told: typeof fails, meanwhile: typeof before) => {
      fails = told
      before = meanwhile
      calls = 0
      await hands.start(60_000)
      await hands.stop(60_000)
    },
  }
}

/** Rows of batches that were written, by id. */
function writtenBy(out: string): ReadonlyMap<string, string> {
  const batches = new Map<string, readonly string[]>()
  const written = new Map<string, string>()
  for (const line of out.split('\n').slice(0, -1)) {
    const [kind, number = '', ...rows] = line.split(' ')
    if (kind === 'b') batches.set(number, rows)
    if (kind !== 'w') continue
    for (const text of batches.get(number) ?? []) {
      const [id = '', output = ''] = text.split('=')
      written.set(id, output)
    }
  }
  return written
}
