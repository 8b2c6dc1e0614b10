/** Panels on objectives: how often they are met, what is left of their error budgets, and how fast those burn. */

import { sloTargets } from '../../rules/slo-rules.ts'
import type { Panel } from '../panel.ts'
import { metFloors } from '../panel-alarms.ts'
import { rate } from '../promql.ts'
import { model, requestsPerSecond, tokensPerSecond } from '../shared-queries.ts'

const burnAlerts = ['SloBurnFast', 'SloBurnSteady', 'SloBurnSlow']
const noRules = 'No data: Prometheus needs the rules of grafana/rules/, and requests'

export const budgetLeft: Panel = {
  kind: 'stat',
  title: 'Error budget left, 30 d',
  description: `Of the misses that each objective allows in 30 days (${targetTexts()}), the share that is not yet used; below 0 the objective was missed. All models together, from the recording rules; of fewer days where Prometheus keeps fewer.`,
  unit: 'percentunit',
  width: 8,
  floors: [0.5, 0],
  whenEmpty: noRules,
  alerts: burnAlerts,
  instant: true,
  targets: Object.keys(sloTargets).map((slo) => ({
    expr: `min by (slo) (slo:lmx_gateway_error_budget_left:ratio30d{slo="${slo}"})`,
    legend: slo,
  })),
}

export const burnRates: Panel = {
  kind: 'stat',
  title: 'Burn rate, 1 h and 6 h',
  description:
    'Misses of the objective that is worst off by what its budget allows: at 1 the budget of 30 days lasts 30 days, at 14.4 two days. All models together, from the recording rules.',
  unit: 'suffix: x',
  width: 8,
  alarms: [1, 6],
  whenEmpty: noRules,
  alerts: burnAlerts,
  targets: ['1h', '6h'].map((window) => ({
    expr: `max(slo:lmx_gateway_burn:ratio${window})`,
    legend: window,
  })),
}

const windows = ['5m', '30m', '1h', '6h', '3d']

export const objectivesOverTime: readonly Panel[] = [
  {
    kind: 'lines',
    title: 'Objectives met',
    description:
      'Share of requests that met each objective of slo, and all of them (goodput). Counted exactly and not read off buckets.',
    unit: 'percentunit',
    width: 8,
    floors: metFloors,
    max: 1,
    alerts: ['SloBurnFast'],
    targets: [
      {
        expr: `${rate('slo_requests_total', { follow: model, where: { met: '="true"' }, by: ['slo'] })} / (${rate('slo_requests_total', { follow: model, by: ['slo'] })} > 0)`,
        legend: '{{slo}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Goodput and all requests',
    description: 'Requests per second that met every objective, beside all that were judged.',
    unit: requestsPerSecond,
    width: 8,
    targets: [
      { expr: rate('slo_requests_total', { follow: model, where: goodput('="true"') }), legend: 'goodput' },
      { expr: rate('slo_requests_total', { follow: model, where: goodput('!=""') }), legend: 'all' },
    ],
  },
  {
    kind: 'lines',
    title: 'Goodput in tokens',
    description:
      'Output tokens per second of requests that met every objective, beside those of all that were judged; each counts when its request ends.',
    unit: tokensPerSecond,
    width: 8,
    targets: [
      { expr: rate('slo_tokens_total', { follow: model, where: goodput('="true"') }), legend: 'goodput' },
      { expr: rate('slo_tokens_total', { follow: model, where: goodput('!=""') }), legend: 'all' },
    ],
  },
  ...Object.keys(sloTargets).map(burnOf),
  {
    kind: 'lines',
    title: 'Not answered, by model',
    description:
      'Share of the requests for each model that missed the objective of availability, over 30 minutes, from the recording rules. A model that hardly anybody asks does not show in the budgets.',
    unit: 'percentunit',
    width: 8,
    max: 1,
    alarms: [0.1, 0.5],
    whenEmpty: noRules,
    alerts: ['ModelFailing'],
    targets: [
      {
        expr: 'max by (model) (slo_model:lmx_gateway_slo_miss:ratio30m{slo="availability",model=~"$model"})',
        legend: '{{model}}',
      },
    ],
  },
  {
    kind: 'lines',
    title: 'Burn rate by model, 1 h',
    description:
      'Misses of each objective by what its budget allows, of each model alone, from the recording rules: which one burns the budget.',
    unit: 'suffix: x',
    width: 8,
    alarms: [1, 6],
    whenEmpty: noRules,
    alerts: burnAlerts,
    targets: [
      {
        expr: 'max by (slo, model) (slo_model:lmx_gateway_burn:ratio1h{model=~"$model"})',
        legend: '{{model}} {{slo}}',
      },
    ],
  },
]

function burnOf(slo: string): Panel {
  return {
    kind: 'lines',
    title: `Burn rate: ${slo}`,
    description:
      'Misses by what the budget allows, over each window: an alert wants both a long window and a twelfth of it above its rate (14.4, 6 or 1). All models together, from the recording rules.',
    unit: 'suffix: x',
    width: 8,
    alarms: [1, 6],
    whenEmpty: noRules,
    alerts: burnAlerts,
    targets: windows.map((window) => ({
      expr: `max by (slo) (slo:lmx_gateway_burn:ratio${window}{slo="${slo}"})`,
      legend: window,
    })),
  }
}

function goodput(met: string) {
  return { slo: '="goodput"', met }
}

function targetTexts(): string {
  return Object.entries(sloTargets)
    .map(([slo, target]) => `${slo} ${Math.round((1 - target) * 100)} %`)
    .join(', ')
}
