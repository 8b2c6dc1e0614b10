/** All series of one metric, kept in pages so that the exposition text can be made in short turns of the event loop. */
import { Registry } from 'prom-client'

/** prom-client needs 2 to 4 µs for a line and makes a metric's text in one go: this is the longest such turn. */
const linesPerPage = 500

export interface Series<M> {
  readonly metric: M
  readonly labels: Readonly<Record<string, string>>
  /** For counters that follow a total kept elsewhere: that total when it was last read; null before. */
  mirrored: number | null
}

interface Page<M> {
  readonly metric: M
  readonly registry: Registry
  seriesCount: number
}

export interface FamilyOptions<M> {
  readonly name: string
  readonly labelNames: readonly string[]
  /** Lines of exposition text for one label set. */
  readonly linesPerSeries: number
  readonly create: (registry: Registry) => M
}

export class SeriesFamily<M> {
  readonly labelNames: readonly string[]
  readonly linesPerSeries: number
  readonly #name: string
  readonly #create: (registry: Registry) => M
  readonly #series = new Map<string, Series<M>>()
  #pages: Page<M>[] = []

  constructor(options: FamilyOptions<M>) {
    this.labelNames = options.labelNames
    this.linesPerSeries = options.linesPerSeries
    this.#name = options.name
    this.#create = options.create
    this.#addPage()
  }

  get lines(): number {
    return this.#series.size * this.linesPerSeries
  }

  get(key: string): Series<M> | undefined {
    return this.#series.get(key)
  }

  add(key: string, labels: Readonly<Record<string, string>>): Series<M> {
    let page = this.#pages.at(-1) ?? this.#addPage()
    if ((page.seriesCount + 1) * this.linesPerSeries > linesPerPage) page = this.#addPage()
    page.seriesCount += 1
    const series = { metric: page.metric, labels, mirrored: null }
    this.#series.set(key, series)
    return series
  }

  all(): Iterable<Series<M>> {
    return this.#series.values()
  }

  clear(): void {
    this.#series.clear()
    this.#pages = []
    this.#addPage()
  }

  /** The text of each page in turn; only the first says what the metric is. */
  async *text(): AsyncGenerator<string> {
    for (const [index, page] of [...this.#pages].entries()) {
      const text = await page.registry.getSingleMetricAsString(this.#name)
      yield index === 0 ? text : withoutHead(text)
    }
  }

  #addPage(): Page<M> {
    const registry = new Registry()
    const page = { metric: this.#create(registry), registry, seriesCount: 0 }
    this.#pages.push(page)
    return page
  }
}

/** Drops the HELP and TYPE lines; prom-client escapes line feeds within them. */
function withoutHead(text: string): string {
  return text.slice(text.indexOf('\n', text.indexOf('\n') + 1) + 1)
}
