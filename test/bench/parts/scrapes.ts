/** Part 6: /metrics is read while tokens stream, of a gateway that has served 50 models on 8 hosts: what a scrape takes, and whom it holds up. */
import { setTimeout as pause } from 'node:timers/promises'
import { answerOf, startHelper } from '../children.ts'
import { LoopProbe } from '../loop-probe-reader.ts'
import type { ToldByProbe } from '../loop-probe-turns.ts'
import type { Generator, Rig, Stub } from '../rig.ts'
import { fewRounds } from '../scale.ts'
import { type Spread, spreadOf } from '../statistics.ts'
import type { Target } from '../targets/target.ts'
import { heldRows } from './loop-rows.ts'
import { aloneRow, type BenchPart, type Row } from './part.ts'
import { metricsOf } from './thousands.ts'

export const scrapesPart: BenchPart = {
  name: 'scrapes',
  words: 'a scrape each 5 s while tokens stream, with series of 50 models on 8 hosts',
  run: scrapeRows,
}

export interface ScrapesHostOrder {
  readonly hosts: number
  readonly models: readonly string[]
}

const hosts = 8
const modelCount = 50
/** Of each model at once, so that each host gets some of them; as often. */
const requestsAtOnce = 16
const slotsOfHost = 2
const streams = 32
const everyMs = 40
const underLoadMs = 60_000
const scrapeEveryMs = 5_000
const scrapesMin = 3
/** Of what is watched, however short: as many scrapes have their time in it. */
const underLoadMsMin = 600
const roundsMax = 1

interface Figures {
  readonly lines: number
  readonly firstScrape: ToldByProbe
  readonly unscraped: ToldByProbe
  readonly scraped: ToldByProbe
  readonly scrapeMs: readonly number[]
  readonly p99AloneMs: number
  readonly p99ScrapedMs: number
}

async function scrapeRows(rig: Rig): Promise<readonly Row[]> {
  const found: Figures[] = []
  const rounds = fewRounds(rig.rounds, roundsMax)
  for (let round = 1; round <= rounds; round++) {
    found.push(await figuresOf(rig))
    rig.say(`scrapes, round ${round} of ${rounds}`)
  }
  const lines = Math.max(...found.map((figures) => figures.lines))
  const row = (name: string, figure: Spread) => aloneRow({ name, unit: 'ms', figure, bound: null })
  const spread = (of: (figures: Figures) => number) => spreadOf(found.map(of))
  return [
    ...heldRows(
      `scrapes of ${lines} lines under ${(streams * 1_000) / everyMs} tokens/s`,
      found.map(({ scraped }) => scraped),
    ),
    ...heldRows(
      'the same streams, no scrape',
      found.map(({ unscraped }) => unscraped),
    ).slice(0, 1),
    ...heldRows(
      'the first scrape of a process',
      found.map(({ firstScrape }) => firstScrape),
    ).slice(0, 1),
    row('a scrape, from asking to its last byte', spreadOf(found.flatMap(({ scrapeMs }) => scrapeMs))),
    row(
      'one-way delay of tokens, p99, no scrape',
      spread(({ p99AloneMs }) => p99AloneMs),
    ),
    row(
      'one-way delay of tokens, p99, with scrapes',
      spread(({ p99ScrapedMs }) => p99ScrapedMs),
    ),
  ]
}

async function figuresOf(rig: Rig): Promise<Figures> {
  await using stub = await rig.stub()
  await using generator = await rig.generator()
  await using many = startHelper(rig.cores.load, 'parts/scrapes-host.ts')
  const models = Array.from({ length: modelsOf(rig) }, (_, at) => `model-${at}`)
  const { urls } = await answerOf<{ urls: string[] }>(many, { hosts, models } satisfies ScrapesHostOrder)
  const list = urls.map((url, at) => ({ name: `host-${at}`, url, kind: 'openai', slots: slotsOfHost }))
  await using probe = await LoopProbe.make()
  await using target = await rig.maker('gateway')!.start({
    hostUrl: stub.url,
    slots: 2 * streams,
    core: rig.cores.gateway,
    nodeArgs: probe.nodeArgs,
    config: { hosts: [{ name: 'stub', url: stub.url, kind: 'openai', slots: 2 * streams }, ...list] },
  })
  for (const model of models) await serveEverywhere(target, model)
  await probe.turns()
  const page = await metricsOf(target.adminUrl)
  const firstScrape = await probe.turns()
  const lines = page.split('\n').length - 1
  return { lines, firstScrape, ...(await underLoad(rig, { target, generator, probe, stub })) }
}

async function underLoad(
  rig: Rig,
  { target, generator, probe, stub }: { target: Target; generator: Generator; probe: LoopProbe; stub: Stub },
): Promise<Omit<Figures, 'lines' | 'firstScrape'>> {
  const forMs = Math.max(underLoadMsMin, underLoadMs * rig.scale)
  await stub.mode({ everyMs })
  const tokens = Math.ceil((4 * forMs + 10_000) / everyMs)
  const { url, key, receipts } = target
  await generator.openStreams({ url, key, receipts, streams, tokens, withinMs: everyMs })
  await generator.window(forMs / 10)
  await probe.turns()
  const alone = await generator.window(forMs / 3)
  const unscraped = await probe.turns()
  const scrapeMs: number[] = []
  const everyScrapeMs = Math.min(scrapeEveryMs, forMs / scrapesMin)
  const watched = generator.window(forMs)
  for (let at = everyScrapeMs / 2; at < forMs; at += everyScrapeMs) {
    const askedMs = performance.now()
    await metricsOf(target.adminUrl)
    scrapeMs.push(performance.now() - askedMs)
    await pause(Math.max(0, everyScrapeMs - (performance.now() - askedMs)))
  }
  const { oneWay } = await watched
  const scraped = await probe.turns()
  await generator.endStreams(streams)
  return { unscraped, scraped, scrapeMs, p99AloneMs: alone.oneWay.p99 / 1e6, p99ScrapedMs: oneWay.p99 / 1e6 }
}

/** All of them in the short form too, since their number is what is measured; fewer only where nothing is to be measured. */
function modelsOf({ scale }: Rig): number {
  return Math.max(2, Math.round(modelCount * Math.min(1, scale * 4)))
}

/** So that each host has a series of this model. */
async function serveEverywhere({ url, key }: Target, model: string): Promise<void> {
  const messages = [{ role: 'user', content: 'Hello' }]
  const body = JSON.stringify({ model, stream: true, messages })
  const headers = { 'content-type': 'application/json', ...(key === null ? {} : { authorization: `Bearer ${key}` }) }
  const ask = async () => {
    const response = await fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`a request for ${model} was answered ${response.status}: ${text}`)
  }
  await Promise.all(Array.from({ length: requestsAtOnce }, ask))
}
