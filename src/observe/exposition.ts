/** What a scrape gets: every series as text, in the format it asked for, made in turns so short that no stream waits for them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../base/clock.ts'
import { processFamilies } from './process-metrics.ts'
import { escaped, type Family, floatText, Histogram, labelText, type Noted } from './series.ts'
import type { SeriesTable } from './series-table.ts'

/** Prometheus text format 0.0.4, and OpenMetrics 1.0, which alone has exemplars. */
export type ExpositionFormat = 'text' | 'openmetrics'

export interface Exposition {
  readonly contentType: string
  readonly body: string
}

const contentTypes: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

/** The longest that text is made at a stretch; a line takes below a microsecond. */
const turnMsMax = 2
/** So many lines are made before the clock is looked at. */
const linesPerLook = 64

export class Expositions {
  readonly #table: SeriesTable
  readonly #clock: Pick<Clock, 'now'>
  readonly #refresh: () => Promise<void>
  readonly #rendering = new Map<ExpositionFormat, Promise<Exposition>>()
  #refreshing: Promise<void> | null = null

  constructor(table: SeriesTable, clock: Pick<Clock, 'now'>, refresh: () => Promise<void>) {
    this.#table = table
    this.#clock = clock
    this.#refresh = refresh
  }

  /** Scrapes that come while one is being answered get the same answer: twenty at once cost as much as one. */
  render(format: ExpositionFormat): Promise<Exposition> {
    const known = this.#rendering.get(format)
    if (known !== undefined) return known
    const rendering = this.#render(format).finally(() => this.#rendering.delete(format))
    this.#rendering.set(format, rendering)
    return rendering
  }

  async #render(format: ExpositionFormat): Promise<Exposition> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null
    })
    await this.#refreshing
    const page = new Page(this.#clock)
    for (const family of this.#table.families()) await writeFamily(page, family, format)
    // Their names are those of every Node program and carry no prefix of ours.
    for (const family of await processFamilies()) await writeFamily(page, family, format)
    if (format === 'openmetrics') page.lines.push('# EOF')
    return { contentType: contentTypes[format], body: `${page.lines.join('\n')}\n` }
  }
}

class Page {
  readonly lines: string[] = []
  readonly #clock: Pick<Clock, 'now'>
  #untilLook = linesPerLook
  #turnBeganMs: number

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
    this.#turnBeganMs = clock.now()
  }

  /** To be awaited where it is not null: others have their turn. */
  pause(added: number): Promise<void> | null {
    this.#untilLook -= added
    if (this.#untilLook > 0) return null
    this.#untilLook = linesPerLook
    return this.#clock.now() - this.#turnBeganMs < turnMsMax ? null : this.#nextTurn()
  }

  async #nextTurn(): Promise<void> {
    await nextTurn()
    this.#turnBeganMs = this.#clock.now()
  }
}

async function writeFamily(page: Page, family: Family, format: ExpositionFormat): Promise<void> {
  const { name, definition, linesPerSeries } = family
  const { type, help } = definition
  // In OpenMetrics a counter is called by its name without the suffix that its samples have.
  const metric = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name
  page.lines.push(`# HELP ${metric} ${format === 'openmetrics' ? escaped(help) : helpText(help)}`)
  page.lines.push(`# TYPE ${metric} ${type}`)
  for (const series of family.series.values()) {
    if (series instanceof Histogram) writeHistogram(page.lines, family, series, format)
    else page.lines.push(`${name}${series.text} ${series.value}`)
    const pause = page.pause(linesPerSeries)
    if (pause !== null) await pause
  }
}

function writeHistogram(lines: string[], family: Family, series: Histogram, format: ExpositionFormat): void {
  const { name, edgeTexts } = family
  const { counts, head, noted } = series
  let count = 0
  for (let at = 0; at < counts.length; at++) {
    count += counts[at] ?? 0
    const exemplar = format === 'openmetrics' ? exemplarText(noted?.[at]) : ''
    lines.push(`${name}_bucket{${head}le="${edgeTexts[at] ?? '+Inf'}"} ${count}${exemplar}`)
  }
  lines.push(`${name}_sum${series.text} ${series.sum}`)
  lines.push(`${name}_count${series.text} ${count}`)
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
