/** Panels of the dashboards as Grafana has them from its files, asked of a Prometheus as Grafana would. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Prometheus } from './prometheus.ts'

/** Of the dashboard's variables; all values where none is given. */
export interface PanelView {
  readonly host?: string
  readonly model?: string
  readonly key?: string
  /** What Grafana makes of the scrape interval. */
  readonly rateInterval: string
}

export interface Shown {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What all queries of the panel show now; throws where no dashboard has a panel of this title. */
export async function panelShows(prometheus: Prometheus, title: string, view: PanelView): Promise<readonly Shown[]> {
  const asked = queriesOf(title).map((expr) => prometheus.query(substituted(expr, view)))
  return (await Promise.all(asked)).flat().map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
}

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
  /** Of a row that is closed. */
  readonly panels?: readonly Panel[]
}

const folder = new URL('../../grafana/dashboards/', import.meta.url)

function queriesOf(title: string): string[] {
  const boards = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  const panels = boards.flatMap((text) => (JSON.parse(text) as { panels: Panel[] }).panels)
  const all = panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
  const queries = all.filter((panel) => panel.title === title).flatMap(({ targets = [] }) => targets)
  if (queries.length === 0) throw new Error(`no dashboard has a panel with queries that is called ${title}`)
  return queries.map(({ expr }) => expr)
}

function substituted(expr: string, { rateInterval, ...view }: PanelView): string {
  return expr
    .replaceAll('$__rate_interval', rateInterval)
    .replaceAll(/\$(?<name>host|model|key)\b/g, (_all, name: 'host' | 'model' | 'key') => view[name] ?? '.*')
}
