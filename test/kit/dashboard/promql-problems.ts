/** Finds what is wrong with a query of a board: its syntax, its names, and the usual ways to misread a metric. */

import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'

export interface KnownSeries {
  readonly type: 'counter' | 'gauge'
  readonly labels: readonly string[]
}

/** What Prometheus adds to every series. */
const scrapeLabels = ['job', 'instance']
const window = '$__rate_interval'
/** Objectives are judged over hours and days, whatever the page shows. */
const judgedWindow = /^lmx_gateway_slo_requests_total\{.*\}\[1h\]$/
/** A length that says whence it came, in place of the variable, which is no PromQL. */
const windowStandIn = '77m'

/** Gauges of which each of several gateways has its own part; any other is what all see whole, and is not added up over them. */
const partsOfGateways: ReadonlySet<string> = new Set(
  [
    'client_connections',
    'host_inflight',
    'host_streams',
    'host_zombie_slots',
    'key_inflight',
    'key_queue_depth',
    'ledger_pending_rows',
    'metric_series',
    'model_load_waiting',
    'open_streams',
    'queue_bytes',
    'queue_depth',
    'queue_estimated_tokens',
    'shared_limit_charges_waiting',
    'shared_slot_claims',
    'usage_hand_over_waiting_rows',
  ].map((name) => `lmx_gateway_${name}`),
)

export interface QueryFacts {
  readonly problems: readonly string[]
  /** Names of the series it reads. */
  readonly series: readonly string[]
}

export function readQuery(query: string, known: ReadonlyMap<string, KnownSeries>): QueryFacts {
  const text = query.replaceAll(window, windowStandIn)
  const problems: string[] = []
  const series: string[] = []
  const labels = new Set<string>()
  parser.parse(text).iterate({
    enter({ node }) {
      const here = text.slice(node.from, node.to)
      if (node.type.isError) problems.push(`syntax error at column ${node.from}`)
      if (node.name === 'LabelName') labels.add(here)
      if (node.name === 'VectorSelector') series.push(seriesName(node, text))
      if (node.name === 'VectorSelector') problems.push(...selectorProblems(node, text, known))
      if (node.name === 'MatrixSelector' && !here.endsWith(`[${windowStandIn}]`) && !judgedWindow.test(here)) {
        problems.push(`a window other than ${window}: ${here}`)
      }
      if (node.name === 'FunctionCall' && here.startsWith('histogram_quantile') && !/sum by \(le\b/.test(here)) {
        problems.push('a quantile of buckets that were not added up by le')
      }
    },
  })
  problems.push(...sumProblems(text, known))
  const allowed = new Set([...scrapeLabels, 'le', ...series.flatMap((name) => known.get(name)?.labels ?? [])])
  for (const label of labels) if (!allowed.has(label)) problems.push(`no such label: ${label}`)
  return { problems, series }
}

function sumProblems(text: string, known: ReadonlyMap<string, KnownSeries>): string[] {
  const sums = [...text.matchAll(/\bsum(?: by \(([^)]*)\))? ?\((lmx_gateway_\w+)\s*[{)]/g)]
  return sums.flatMap(([, by = '', name = '']) => {
    const isWhole = known.get(name)?.type === 'gauge' && !partsOfGateways.has(name)
    return isWhole && !by.split(', ').includes('replica') ? [`a sum of what each gateway sees whole: ${name}`] : []
  })
}

function selectorProblems(node: SyntaxNode, text: string, known: ReadonlyMap<string, KnownSeries>): string[] {
  const name = seriesName(node, text)
  const type = known.get(name)?.type
  const call = callAround(node, text)
  if (type === undefined) return [`no such metric: ${name}`]
  if (type === 'counter' && !['rate', 'increase'].includes(call)) return [`a counter without rate(): ${name}`]
  if (type === 'gauge' && ['rate', 'increase', 'irate'].includes(call)) return [`a rate() of a gauge: ${name}`]
  return []
}

function seriesName(selector: SyntaxNode, text: string): string {
  const name = selector.getChild('Identifier')
  return name === null ? '' : text.slice(name.from, name.to)
}

/** The function whose direct argument the selector is. */
function callAround(selector: SyntaxNode, text: string): string {
  const range = selector.parent?.name === 'MatrixSelector' ? selector.parent : selector
  const name = range.parent?.name === 'FunctionCallBody' ? range.parent.parent?.getChild('FunctionIdentifier') : null
  return name === null || name === undefined ? '' : text.slice(name.from, name.to)
}
