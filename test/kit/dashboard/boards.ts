/** The boards: their names and rows. `test/bin/make-dashboard.ts` writes them to `grafana/dashboards/`. */

import { type About, boardJson, placed } from './board-json.ts'
import type { BoardJson } from './grafana-types.ts'
import { overview } from './overview.ts'
import type { Row } from './panel.ts'
import { cache } from './rows/cache.ts'
import { gateway } from './rows/gateway.ts'
import { hosts } from './rows/hosts.ts'
import { latency } from './rows/latency.ts'
import { limits } from './rows/limits.ts'
import { line } from './rows/line.ts'
import { lmx } from './rows/lmx.ts'
import { models } from './rows/models.ts'
import { now } from './rows/now.ts'
import { reliability } from './rows/reliability.ts'
import { routing } from './rows/routing.ts'
import { sharing } from './rows/sharing.ts'
import { throughput } from './rows/throughput.ts'
import { runbookLinks, runbookPanels, runbookUid } from './runbook.ts'

const rows: readonly Row[] = [
  { title: 'Now', panels: now },
  { title: 'Latency', panels: latency },
  { title: 'Throughput', panels: throughput },
  { title: 'The line and fairness', panels: line },
  { title: 'Hosts', panels: hosts },
  { title: 'Models', panels: models },
  { title: 'Cache and routing', panels: [...cache, ...routing] },
  { title: 'Limits and keys', panels: limits },
  { title: 'Reliability', panels: reliability },
  { title: 'Gateway', panels: gateway },
  { title: 'Several gateways', panels: sharing },
  { title: 'LMX’s own view', panels: lmx },
]

const overviewAbout: About = {
  uid: 'lmx-gateway-overview',
  title: 'LMX gateway: overview',
  description: 'On one screen whether all is well with the gateway and its hosts.',
}
const wholeAbout: About = {
  uid: 'lmx-gateway',
  title: 'LMX gateway',
  description: 'Queueing, speed, limits and health of self-hosted inference hosts behind LMX gateway.',
}
const runbookAbout: About = {
  uid: runbookUid,
  title: 'LMX gateway: runbook',
  description: 'What each alert means, what to look at first, and what to do.',
}

export function boards(): readonly BoardJson[] {
  const linksOf = runbookLinks
  const one = placed([{ title: '', panels: overview }], { headings: false, linksOf })
  const whole = placed(rows, { headings: true, linksOf })
  return [
    boardJson(overviewAbout, { panels: one, hasQueries: true }, [wholeAbout, runbookAbout]),
    boardJson(wholeAbout, { panels: whole, hasQueries: true }, [overviewAbout, runbookAbout]),
    boardJson(runbookAbout, { panels: runbookPanels, hasQueries: false }, [overviewAbout, wholeAbout]),
  ]
}

/** Relative to the repository. */
export function boardPath({ uid }: Pick<BoardJson, 'uid'>): string {
  return `grafana/dashboards/${uid}.json`
}
