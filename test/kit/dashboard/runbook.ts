/** The board with the lines of the runbook, one panel for each alert; README prints the same lines. */

import { alerts } from '../rules/rule-files.ts'
import { type Alert, anchorOf } from '../rules/rule-shapes.ts'
import type { OptionsOf, PanelJson } from './grafana-types.ts'
import type { Panel } from './panel.ts'

export const runbookUid = 'lmx-gateway-runbook'

const width = 8
const height = 9
const perLine = 24 / width

export const runbookPanels: readonly PanelJson[] = alerts.map((alert, index) => ({
  id: index + 1,
  type: 'text',
  title: alert.alert,
  description: `What the alert ${alert.alert} means, what to look at first, and what to do.`,
  gridPos: { x: (index % perLine) * width, y: Math.floor(index / perLine) * height, w: width, h: height },
  fieldConfig: { defaults: {}, overrides: [] },
  options: { mode: 'markdown', content: linesOf(alert) } satisfies OptionsOf['text'],
}))

/** Links of a panel to the lines on the alerts that concern it. Throws where there is no such alert. */
export function runbookLinks({ title, alerts: names = [] }: Panel): { title: string; url: string }[] {
  return names.map((name) => {
    const index = alerts.findIndex(({ alert }) => alert === name)
    if (index === -1) throw new Error(`${title}: there is no alert ${name}`)
    return { title: `Runbook: ${name} (README)`, url: `/d/${runbookUid}?viewPanel=${index + 1}` }
  })
}

function linesOf({ alert, severity, for: holds, runbook }: Alert): string {
  return [
    `**Severity:** ${severity}${holds === undefined ? '' : `, once it holds for ${holds}`}`,
    `**Means:** ${runbook.means}`,
    `**Look at:** ${runbook.look}`,
    `**Do:** ${runbook.act}`,
    `In README: \`#${anchorOf(alert)}\``,
  ].join('\n\n')
}
