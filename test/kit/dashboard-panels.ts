/** Panels of the dashboards as Grafana has them from its files, asked of a Prometheus as Grafana would. */
import { readdirSync, readFileSync } from 'node:fs'
import { asGrafana, type Chosen } from './dashboard/as-grafana.ts'
import type { Prometheus } from './prometheus.ts'

export interface Shown {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What all queries of the panel show now; throws where no dashboard has a panel of this title. */
export async function panelShows(prometheus: Prometheus, title: string, chosen: Chosen): Promise<readonly Shown[]> {
  const asked = queriesOf(title).map((expr) => prometheus.query(asGrafana(expr, chosen)))
  return (await Promise.all(asked)).flat().map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

const folder = new URL('../../grafana/dashboards/', import.meta.url)
const boards = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
const panels = boards.flatMap((text) => (JSON.parse(text) as { panels: Panel[] }).panels)

function queriesOf(title: string): string[] {
  const queries = panels.filter((panel) => panel.title === title).flatMap(({ targets = [] }) => targets)
  if (queries.length === 0) throw new Error(`no dashboard has a panel with queries that is called ${title}`)
  return queries.map(({ expr }) => expr)
}
