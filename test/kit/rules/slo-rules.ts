/**
 * Objectives, and the alerts on how fast their error budgets burn: by two windows each, after Google's SRE workbook.
 * The long window says that it matters, the short one (a twelfth) that it still goes on.
 */
import type { Alert, Recording } from './rule-shapes.ts'

/** Shares of requests that must meet each objective; what each of them asks is the gateway's option `slo`. */
export const sloTargets = { availability: 0.99, ttft: 0.95, tpot: 0.95 } as const

/** Below that many requests in its long window an alert says nothing: one failure of a quiet night is no outage. */
const requestsMin = 50

interface Burn {
  readonly alert: string
  /** 1 spends the budget of a month in a month. */
  readonly timesBudget: number
  readonly long: string
  readonly short: string
  /** Of the budget of 30 days, once the long window is full. */
  readonly spends: string
  readonly severity: Alert['severity']
}

const burns: readonly Burn[] = [
  { alert: 'SloBurnFast', timesBudget: 14.4, long: '1h', short: '5m', spends: '2 %', severity: 'page' },
  { alert: 'SloBurnSteady', timesBudget: 6, long: '6h', short: '30m', spends: '5 %', severity: 'page' },
  { alert: 'SloBurnSlow', timesBudget: 1, long: '3d', short: '6h', spends: '10 %', severity: 'ticket' },
]

const budget = 'slo:lmx_gateway_error_budget:ratio'
/** For each objective over all models, and for each model alone. */
type Level = 'slo' | 'slo_model'
const missRatio = (window: string, level: Level = 'slo') => `${level}:lmx_gateway_slo_miss:ratio${window}`
const burnRate = (window: string, level: Level = 'slo') => `${level}:lmx_gateway_burn:ratio${window}`
const requests = (window: string, level: Level = 'slo') => `${level}:lmx_gateway_slo_requests:increase${window}`
const misses = (window: string) => `slo:lmx_gateway_slo_misses:increase${window}`

/** A model that hardly anybody asks is lost among the others' requests: it has a page of its own. */
const failing = { missRatioMin: 0.5, requestsMin: 10, long: '30m', short: '5m' } as const

/** They come before the rates, which read them. */
const budgets: readonly Recording[] = Object.entries(sloTargets).map(([slo, target]) => ({
  record: budget,
  // 1 - 0.99 is 0.010000000000000009 for a computer.
  expr: `vector(${Number((1 - target).toFixed(6))})`,
  labels: { slo },
}))

export const shortBurnRules: readonly Recording[] = [
  ...budgets,
  ...['5m', '30m', '1h'].flatMap((window) => [...rulesOf(window, 'slo'), ...rulesOf(window, 'slo_model')]),
  {
    record: misses('5m'),
    expr: 'sum by (job, slo) (increase(lmx_gateway_slo_requests_total{met="false"}[5m]))',
  },
]
/**
 * Of what was recorded and not of the counters, whose samples of a month are a hundred times as many. Windows of five
 * minutes overlap: each request is in as many of them as any other, so the share is the same.
 */
const monthRules: readonly Recording[] = [
  {
    record: missRatio('30d'),
    expr: `
sum_over_time(${misses('5m')}[30d])
  / (sum_over_time(${requests('5m')}[30d]) > 0)`,
  },
  {
    record: 'slo:lmx_gateway_error_budget_left:ratio30d',
    expr: `1 - ${missRatio('30d')} / on (slo) group_left () ${budget}`,
  },
]

export const longBurnRules: readonly Recording[] = [
  ...['6h', '3d'].flatMap((window) => rulesOf(window, 'slo')),
  ...monthRules,
]

/** Of all objectives, goodput included; only those with a target have a burn rate. */
function rulesOf(window: string, level: Level): Recording[] {
  const by = `sum by (job, ${level === 'slo' ? 'slo' : 'slo, model'})`
  return [
    {
      record: missRatio(window, level),
      expr: `
${by} (rate(lmx_gateway_slo_requests_total{met="false"}[${window}]))
  / (${by} (rate(lmx_gateway_slo_requests_total[${window}])) > 0)`,
    },
    {
      record: burnRate(window, level),
      expr: `${missRatio(window, level)} / on (slo) group_left () ${budget}`,
    },
    {
      record: requests(window, level),
      expr: `${by} (increase(lmx_gateway_slo_requests_total[${window}]))`,
    },
  ]
}

const whereAndHow = {
  look: 'the objectives by model; then failed requests by end code (availability), the parts of the time to first token (ttft), or decode speed beside mean batch (tpot).',
  act: 'find the host or model behind it and do what its own alert says. Without one it is load: more slots or hosts, or fewer and smaller requests. Set `slo` to what the machines can do at all.',
}

const modelFailing: Alert = {
  alert: 'ModelFailing',
  expr: `
${missRatio(failing.long, 'slo_model')}{slo="availability"} > ${failing.missRatioMin}
and ${missRatio(failing.short, 'slo_model')}{slo="availability"} > ${failing.missRatioMin}
and ${requests(failing.long, 'slo_model')}{slo="availability"} > ${failing.requestsMin}`,
  severity: 'page',
  summary: 'Most requests for {{ $labels.model }} fail.',
  description: `Over ${failing.long} {{ humanizePercentage $value }} of the requests for {{ $labels.model }} were not answered, and over ${failing.short} it is still more than half.`,
  runbook: {
    means:
      'one model hardly answers, while the error budget of all models together may not even notice: it is asked more seldom than the others.',
    look: 'its failed requests by outcome, errors of the hosts that have it, `GET /admin/models`.',
    act: 'send it a request by hand; load it anew or take it from the host that fails it; give its name another model with `models.aliases`.',
  },
}

const burnAlerts: readonly Alert[] = burns.map(({ alert, timesBudget, long, short, spends, severity }, index) => ({
  alert,
  expr: `
${burnRate(long)} > ${timesBudget}
and ${burnRate(short)} > ${timesBudget}
and ${requests(long)} > ${requestsMin}`,
  severity,
  summary: `The error budget of {{ $labels.slo }} burns too fast (more than ${timesBudget} x).`,
  description: `Over ${long} the objective {{ $labels.slo }} was missed {{ printf "%.1f" $value }} times as often as its target allows, and over ${short} it still is.`,
  runbook: {
    means: `requests miss an objective (label \`slo\`) more than ${timesBudget} x as often as its target allows, over ${long} and still over the last ${short}; ${long} of it spends ${spends} of the error budget of 30 days.`,
    ...(index === 0 ? whereAndHow : { look: 'as for SloBurnFast.', act: 'as for SloBurnFast.' }),
  },
}))

export const sloAlerts: readonly Alert[] = [...burnAlerts, modelFailing]
