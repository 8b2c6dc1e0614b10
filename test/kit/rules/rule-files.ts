/**
 * The rule files of grafana/rules/, from one source: `ruleFiles({ factor })` gives `[{ name, groups, yaml }]`, where
 * `yaml` is the text of a file for Prometheus. Every window, `for` and interval is divided by `factor` (1: as shipped);
 * names, labels and thresholds stay. Tests in which no hour passes take for instance 60; the scrape interval must
 * then shrink as well: a minute has twelve scrapes as shipped, so 60 wants one each 250 ms at least.
 */
import { stringify } from 'yaml'
import { gatewayAlerts } from './gateway-alerts.ts'
import { hostAlerts } from './host-alerts.ts'
import { latencyRules, shareRules, speedRules } from './recording-rules.ts'
import { requestAlerts } from './request-alerts.ts'
import { routingAlerts } from './routing-alerts.ts'
import { type Alert, anchorOf, type Recording } from './rule-shapes.ts'
import { sharingAlerts } from './sharing-alerts.ts'
import { longBurnRules, shortBurnRules, sloAlerts } from './slo-rules.ts'

export interface RuleFile {
  readonly name: string
  readonly groups: readonly RuleGroup[]
  readonly yaml: string
}

interface RuleGroup {
  readonly name: string
  readonly interval: string
  readonly rules: readonly object[]
}

/** In the order of the runbook: what users feel first, then where it comes from. */
export const alerts: readonly Alert[] = [
  ...sloAlerts,
  ...requestAlerts,
  ...hostAlerts,
  ...routingAlerts,
  ...gatewayAlerts,
  ...sharingAlerts,
]

/** `factor` must divide 15 s into whole milliseconds. */
export function ruleFiles({ factor = 1 }: { readonly factor?: number } = {}): readonly RuleFile[] {
  const file = (name: string, groups: readonly RuleGroup[]): RuleFile => ({ name, groups, yaml: yamlOf(groups) })
  const recording = (name: string, interval: string, rules: readonly Recording[]): RuleGroup => ({
    name: `lmx-gateway-${name}`,
    interval: divided(interval, factor),
    rules: rules.map((rule) => ({ ...rule, expr: withWindows(rule.expr, factor) })),
  })
  return [
    file('recording.yml', [
      recording('speed', '15s', speedRules),
      recording('latency', '15s', latencyRules),
      recording('shares', '30s', shareRules),
      recording('slo', '30s', shortBurnRules),
      // Hours of samples are read each time; what they say moves slowly.
      recording('slo-long', '2m', longBurnRules),
    ]),
    file('alerts.yml', [
      {
        name: 'lmx-gateway-alerts',
        interval: divided('30s', factor),
        rules: alerts.map((alert) => alertRule(alert, factor)),
      },
    ]),
  ]
}

function alertRule({ alert, expr, for: holds, severity, summary, description }: Alert, factor: number): object {
  return {
    alert,
    expr: withWindows(expr, factor),
    ...(holds === undefined ? {} : { for: divided(holds, factor) }),
    labels: { severity },
    annotations: { summary, description, runbook: `README.md#${anchorOf(alert)}` },
  }
}

/** Durations in square brackets are ranges; other brackets are those of patterns. */
function withWindows(expr: string, factor: number): string {
  return expr.trim().replaceAll(/\[(\d+[smhd])\]/g, (_all, window: string) => `[${divided(window, factor)}]`)
}

const msOf = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

function divided(duration: string, factor: number): string {
  if (factor === 1) return duration
  const { count, unit } = /^(?<count>\d+)(?<unit>[smhd])$/.exec(duration)?.groups ?? {}
  const ms = (Number(count) * msOf[unit as keyof typeof msOf]) / factor
  if (!Number.isInteger(ms)) throw new Error(`${duration} / ${factor} is no number of whole milliseconds`)
  return `${ms}ms`
}

function yamlOf(groups: readonly RuleGroup[]): string {
  const head = '# Made by test/bin/make-rules.ts from test/kit/rules/: change them there.\n'
  return head + stringify({ groups }, { lineWidth: 0 })
}
