/** A strict reader of OpenMetrics 1.0: throws on whatever a scraper may refuse. */

interface Exemplar {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly atSeconds: number
}

export interface OpenMetrics {
  /** By the name of the family. */
  readonly types: ReadonlyMap<string, string>
  /** By name and labels, as they stand there. */
  readonly samples: ReadonlyMap<string, number>
  readonly exemplars: ReadonlyMap<string, Exemplar>
}

export function readOpenMetrics(text: string): OpenMetrics {
  if (!text.endsWith('\n# EOF\n')) throw new Error('the last line is not # EOF')
  const reader = new Reader()
  for (const line of text.slice(0, -'# EOF\n'.length - 1).split('\n')) reader.read(line)
  reader.endFamily()
  return reader
}

const labelPattern = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"'
const labelsPattern = `\\{(?:${labelPattern}(?:,${labelPattern})*)?\\}`
const numberPattern = '[+-]?(?:\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?|Inf|NaN)'
const sampleLine = new RegExp(
  `^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?<labels>${labelsPattern})? (?<value>${numberPattern})(?<exemplar> # .*)?$`,
)
const exemplarText = new RegExp(`^ # (?<labels>${labelsPattern}) (?<value>${numberPattern}) (?<at>\\d+(?:\\.\\d+)?)$`)

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
}

class Reader implements OpenMetrics {
  readonly types = new Map<string, string>()
  readonly samples = new Map<string, number>()
  readonly exemplars = new Map<string, Exemplar>()
  readonly #helped = new Set<string>()
  #family = ''
  /** By labels without `le`. */
  #buckets = new Map<string, { edges: number[]; counts: number[] }>()

  read(line: string): void {
    const told = /^# (?<what>HELP|TYPE) (?<family>\S+) (?<text>.+)$/.exec(line)?.groups
    if (told === undefined) this.#sample(line)
    else this.#describe(told['what'] ?? '', told['family'] ?? '', told['text'] ?? '')
  }

  endFamily(): void {
    for (const [labels, { edges, counts }] of this.#buckets) {
      if (edges.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${this.#family}${labels} has no +Inf`)
      if (!isAscending(edges) || !isAscending(counts)) throw new Error(`${this.#family}${labels} goes down`)
      const count = this.samples.get(`${this.#family}_count${labels}`)
      if (counts.at(-1) !== count) throw new Error(`${this.#family}${labels} counts ${count}`)
    }
    this.#buckets = new Map()
  }

  #describe(what: string, family: string, text: string): void {
    if (family !== this.#family) {
      this.endFamily()
      if (this.types.has(family) || this.#helped.has(family)) throw new Error(`${family} is in two places`)
      this.#family = family
    }
    const known: ReadonlySet<string> | ReadonlyMap<string, string> = what === 'TYPE' ? this.types : this.#helped
    if (known.has(family)) throw new Error(`two ${what} lines of ${family}`)
    if (what === 'HELP') {
      if (/(?<!\\)(?:\\\\)*"/.test(text)) throw new Error(`a quote that is not escaped: ${text}`)
      this.#helped.add(family)
      return
    }
    if (suffixes[text] === undefined) throw new Error(`no type: ${text}`)
    if (text === 'counter' && family.endsWith('_total')) throw new Error(`${family}: a counter's family has no suffix`)
    this.types.set(family, text)
  }

  #sample(line: string): void {
    const { name = '', labels = '', value = '', exemplar } = sampleLine.exec(line)?.groups ?? {}
    if (name === '') throw new Error(`not a sample: ${line}`)
    const type = this.types.get(this.#family) ?? ''
    const suffix = suffixes[type]?.find((end) => name === this.#family + end)
    if (suffix === undefined) throw new Error(`${name} stands under the ${type} ${this.#family}`)
    const series = name + labels
    if (this.samples.has(series)) throw new Error(`twice: ${series}`)
    if (type !== 'gauge' && !(Number(value) >= 0)) throw new Error(`${series} is ${value}`)
    this.samples.set(series, Number(value))
    if (suffix === '_bucket') this.#bucket(labels, Number(value))
    if (exemplar !== undefined) this.#exemplar(series, exemplar, suffix)
  }

  #bucket(labels: string, count: number): void {
    const le = /(?:^\{|,)le="(?<le>[^"]*)"\}$/.exec(labels)?.groups?.['le'] ?? ''
    if (!/^(?:\d+\.\d+(?:e[+-]\d+)?|\d+e-\d+|\+Inf)$/.test(le)) throw new Error(`le is ${le}`)
    const others = labels.replace(/,?le="[^"]*"\}$/, '}').replace(/^\{\}$/, '')
    const of = this.#buckets.get(others) ?? { edges: [], counts: [] }
    this.#buckets.set(others, of)
    of.edges.push(le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le))
    of.counts.push(count)
  }

  #exemplar(series: string, text: string, suffix: string): void {
    const { labels = '', value = '', at = '' } = exemplarText.exec(text)?.groups ?? {}
    if (at === '') throw new Error(`not an exemplar: ${text}`)
    if (suffix !== '_bucket' && suffix !== '_total') throw new Error(`${series} may have no exemplar`)
    const pairs = [...labels.matchAll(/(?<name>[a-zA-Z_]\w*)="(?<value>[^"]*)"/g)]
    const named = pairs.map(({ groups }) => [groups?.['name'] ?? '', groups?.['value'] ?? ''] as const)
    const chars = named.reduce((sum, pair) => sum + pair.join('').length, 0)
    if (chars > 128) throw new Error(`an exemplar of ${chars} characters`)
    this.exemplars.set(series, { labels: Object.fromEntries(named), value: Number(value), atSeconds: Number(at) })
  }
}

function isAscending(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0))
}
