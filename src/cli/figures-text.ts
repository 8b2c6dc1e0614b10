/** Hosts, models and the gateway as people read them: what they are and how fast they were in the last minute. */
import type { HostsPage, ModelsPage } from '../http/admin/fleet-schema.ts'
import type { StatsPage } from '../http/admin/stats-schema.ts'
import { counted, grouped, percent, right, secondsText, section, table } from './text-table.ts'

type Host = HostsPage['hosts'][number]
type Model = ModelsPage['models'][number]
type Speeds = StatsPage['speeds']['lastMinute']

const speedColumns = ['tok/s', 'stream tok/s', 'batch', 'prefill tok/s', 'ttft p50', 'p95'].map(right)

export function hostsText({ hosts }: HostsPage): string {
  const columns = [
    'host',
    'kind',
    'state',
    right('tier'),
    right('weight'),
    right('running'),
    right('slots'),
    ...speedColumns,
    right('errors'),
  ]
  const rows = hosts.map((host) => [
    host.name,
    host.kind ?? '-',
    stateOf(host),
    grouped(host.tier),
    String(host.weight),
    grouped(host.inFlight),
    grouped(host.limit),
    ...speedCells(host.speeds.lastMinute),
    host.errors === null ? '-' : grouped(sumOf(host.errors)),
  ])
  const problems = hosts.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`]))
  return [
    table(columns, rows),
    ...section(
      problems.map((problem) => [problem]),
      ['what is wrong'],
    ),
  ].join('\n')
}

export function modelsText({ models }: ModelsPage): string {
  if (models.length === 0) return 'No host lists a model.'
  const columns = ['model', right('hosts'), right('waiting'), ...speedColumns, right('requests'), right('goodput')]
  const rows = models.map((one) => [
    one.model,
    `${one.places.filter(({ able }) => able).length}/${one.places.length}`,
    grouped(one.waiting.reduce((sum, { waiting }) => sum + waiting, 0)),
    ...speedCells(one.speeds.lastMinute),
    one.requests === null ? '-' : grouped(one.requests.total),
    shareText(one.objectives?.goodput),
  ])
  return table(columns, rows)
}

export function statsText(stats: StatsPage): string {
  const { hosts, line, streams, tokens, speeds, process, requests, limits, failovers } = stats
  const [minute, minutes] = [speeds.lastMinute, speeds.last5Minutes]
  return [
    `LMX gateway ${stats.version}, up since ${stats.startedAt} (${secondsText(stats.uptimeSeconds * 1_000)})`,
    `${hosts.up} of ${counted(hosts.total, 'host')} up, ${counted(streams.open, 'open stream')}, ${grouped(line.waiting)} waiting${line.paused ? '; the line is paused' : ''}`,
    `tokens: ${grouped(tokens.input)} in (${grouped(tokens.cachedInput)} cached), ${grouped(tokens.output)} out`,
    ...(requests === null ? [] : [`requests: ${grouped(requests.total)}${countsText(requests.byStatus)}`]),
    ...(limits === null ? [] : [`limits: ${wordsOf(limits)}`]),
    ...(failovers === null ? [] : [`failovers: ${wordsOf(failovers)}`]),
    `memory ${grouped(Math.round(process.rssBytes / 1_048_576))} MiB, event loop ${process.eventLoopLagMs.toFixed(1)} ms late, ${process.overload === 'none' ? 'not short of anything' : process.overload}`,
    '',
    table(
      ['', ...speedColumns],
      // Of a young gateway both windows are all of its life.
      (minute.windowSeconds === minutes.windowSeconds ? [minute] : [minute, minutes]).map((window) => [
        windowText(window),
        ...speedCells(window),
      ]),
    ),
    ...section(objectiveRows(stats), ['objective', right('met'), right('missed'), right('share')]),
    ...section(
      stats.keys.map((one) => [
        one.key,
        one.requests === null ? '-' : grouped(one.requests),
        grouped(one.input),
        grouped(one.output),
        grouped(one.waiting),
        grouped(one.running),
      ]),
      ['key', right('requests'), right('in'), right('out'), right('waiting'), right('running')],
    ),
  ].join('\n')
}

function stateOf({ up, paused, pausedFor, inFlight, draining, ejected }: Host): string {
  if (draining) return 'leaving'
  if (pausedFor === 'drain') return inFlight > 0 ? 'draining' : 'drained'
  if (paused) return 'paused'
  if (!up) return 'down'
  return ejected ? 'ejected' : 'up'
}

function speedCells(speeds: Speeds): string[] {
  return [
    rateText(speeds.outputTokensPerSecond),
    rateText(speeds.streamTokensPerSecond),
    rateText(speeds.batchSize),
    rateText(speeds.prefillTokensPerSecond),
    speeds.ttftP50Ms === null ? '-' : secondsText(speeds.ttftP50Ms),
    speeds.ttftP95Ms === null ? '-' : secondsText(speeds.ttftP95Ms),
  ]
}

function rateText(rate: number | null): string {
  return rate === null ? '-' : rate.toFixed(1)
}

function windowText({ windowSeconds }: Speeds): string {
  return `last ${secondsText(windowSeconds * 1_000)}`
}

function objectiveRows({ objectives }: StatsPage): string[][] {
  return Object.entries(objectives ?? {}).map(([name, judged]) => {
    return [name, grouped(judged.met), grouped(judged.missed), shareText(judged)]
  })
}

function shareText(judged: NonNullable<Model['objectives']>['goodput'] | undefined): string {
  if (judged === undefined || judged.met + judged.missed === 0) return '-'
  return percent(judged.met / (judged.met + judged.missed))
}

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.keys(counts).length === 0 ? '' : ` (${wordsOf(counts)})`
}

function wordsOf(counts: Readonly<Record<string, number>>): string {
  const words = Object.entries(counts).map(([word, count]) => `${word}: ${grouped(count)}`)
  return words.length === 0 ? 'none' : words.toSorted().join(', ')
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0)
}
