/** What a scrape gets: every series as text, in the format it asked for, made in turns so short that no stream waits for them. */
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'
import { processFamilies } from './process-metrics.ts'
import { escaped, type Family, floatText, Histogram, labelText, type Noted } from './series.ts'
import { replicaLabel, type SeriesTable } from './series-table.ts'
import { inTurns } from './turns.ts'

/** Prometheus text format 0.0.4, and OpenMetrics 1.0, which alone has exemplars. */
export type ExpositionFormat = 'text' | 'openmetrics'

/** In pieces: to join two megabytes, or to send them at once, would be a long turn as well. */
export interface Exposition {
  readonly contentType: string
  readonly pieces: readonly Buffer[]
}

const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export interface ExpositionParts {
  readonly clock: Pick<Clock, 'now'>
  /** Name of this gateway among several, for the series of its process; those of the table have it already. */
  readonly replica?: string | null
  /** Brings the table up to date. */
  refresh(): Steps
}

export class Expositions {
  readonly #table: SeriesTable
  readonly #parts: ExpositionParts
  readonly #rendering = new Map<ExpositionFormat, Promise<Exposition>>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(table: SeriesTable, parts: ExpositionParts) {
    this.#table = table
    this.#parts = parts
  }

  /** Scrapes that come while one is being answered get the same answer: twenty at once cost as much as one. */
  render(format: ExpositionFormat): Promise<Exposition> {
    const known = this.#rendering.get(format)
    if (known !== undefined) return known
    const rendering = this.#afterLast(() => this.#render(format)).finally(() => this.#rendering.delete(format))
    this.#rendering.set(format, rendering)
    return rendering
  }

  /** All metrics, brought up to date; they go on counting. */
  families(): Promise<readonly Family[]> {
    return this.#afterLast(async () => {
      const ofProcess = await this.#ofProcess()
      await inTurns(this.#parts.refresh(), this.#parts.clock)
      return [...this.#table.families(), ...ofProcess]
    })
  }

  /** One after the other: figures of one moment stay so until they are written. */
  #afterLast<Made>(make: () => Promise<Made>): Promise<Made> {
    const made = this.#last.then(make)
    this.#last = made.catch(() => {})
    return made
  }

  async #render(format: ExpositionFormat): Promise<Exposition> {
    // Their names are those of every Node program and carry no prefix of ours.
    const ofProcess = await this.#ofProcess()
    const page = new Page()
    await inTurns(this.#write(page, ofProcess, format), this.#parts.clock)
    if (format === 'openmetrics') page.add('# EOF')
    return { contentType: contentTypes[format], pieces: page.end() }
  }

  #ofProcess(): Promise<Family[]> {
    return processFamilies(replicaLabel(this.#parts.replica ?? null))
  }

  *#write(page: Page, ofProcess: readonly Family[], format: ExpositionFormat): Steps {
    yield* this.#parts.refresh()
    for (const family of this.#table.families()) yield* writeFamily(page, family, format)
    for (const family of ofProcess) yield* writeFamily(page, family, format)
  }
}

/** Two megabytes of text joined and encoded at once would be a long turn. */
const linesPerPiece = 500

class Page {
  readonly #pieces: Buffer[] = []
  #lines: string[] = []

  add(line: string): void {
    if (this.#lines.push(line) === linesPerPiece) this.#encode()
  }

  end(): readonly Buffer[] {
    this.#encode()
    return this.#pieces
  }

  #encode(): void {
    this.#pieces.push(Buffer.from(this.#lines.map((line) => `${line}\n`).join('')))
    this.#lines = []
  }
}

function* writeFamily(page: Page, family: Family, format: ExpositionFormat): Steps {
  const { name, definition } = family
  const { type, help } = definition
  // In OpenMetrics a counter is called by its name without the suffix that its samples have.
  const metric = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name
  page.add(`# HELP ${metric} ${format === 'openmetrics' ? escaped(help) : helpText(help)}`)
  page.add(`# TYPE ${metric} ${type}`)
  for (const series of family.series.values()) {
    if (series instanceof Histogram) writeHistogram(page, family, series, format)
    else page.add(`${name}${series.text} ${series.value}`)
    yield
  }
}

function writeHistogram(page: Page, family: Family, series: Histogram, format: ExpositionFormat): void {
  const { name, edgeTexts } = family
  const { counts, head, noted } = series
  let count = 0
  for (let at = 0; at < counts.length; at++) {
    count += counts[at] ?? 0
    const exemplar = format === 'openmetrics' ? exemplarText(noted?.[at]) : ''
    page.add(`${name}_bucket{${head}le="${edgeTexts[at] ?? '+Inf'}"} ${count}${exemplar}`)
  }
  page.add(`${name}_sum${series.text} ${series.sum}`)
  page.add(`${name}_count${series.text} ${count}`)
}

function exemplarText(noted: Noted | undefined): string {
  if (noted === undefined) return ''
  const { labels, value, atSeconds } = noted
  return ` # ${labelText({ ...labels })} ${floatText(value)} ${atSeconds.toFixed(3)}`
}

/** Quotes stand as they are in a HELP line of the older format. */
function helpText(help: string): string {
  return help.replace(/[\\\n]/g, (char) => (char === '\n' ? '\\n' : '\\\\'))
}

/** Of an Accept header: OpenMetrics where it is wanted at least as much as text. */
export function formatOf(accept: string | undefined): ExpositionFormat {
  const ranges = (accept ?? '').split(',').map(rangeOf)
  const wanted = (type: string): number =>
    Math.max(0, ...ranges.filter((range) => range.type === type).map(({ weight }) => weight))
  const openMetrics = wanted('application/openmetrics-text')
  return openMetrics > 0 && openMetrics >= wanted('text/plain') ? 'openmetrics' : 'text'
}

/** A version that we do not write is not wanted from us. */
const openMetricsVersions: ReadonlySet<string> = new Set(['1.0.0', '0.0.1'])

function rangeOf(text: string): { type: string; weight: number } {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const value = (name: string): string | undefined =>
    parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1)
  const version = value('version')
  const isOurs = type !== 'application/openmetrics-text' || version === undefined || openMetricsVersions.has(version)
  const weight = Number(value('q') ?? 1)
  return { type, weight: isOurs && Number.isFinite(weight) ? weight : 0 }
}
