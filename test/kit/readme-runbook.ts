/** README's runbook: one heading for each alert, so that its annotation can link there. */
import { alerts } from './rules/rule-files.ts'
import type { Alert } from './rules/rule-shapes.ts'

export function runbook(): string {
  return alerts.map(linesOf).join('\n\n')
}

function linesOf({ alert, severity, for: holds, runbook: { means, look, act } }: Alert): string {
  const when = holds === undefined ? severity : `${severity}, after ${holds}`
  return [`#### ${alert}`, '', `- **Means** (${when}): ${means}`, `- **Look at** ${look}`, `- **Do:** ${act}`].join(
    '\n',
  )
}
