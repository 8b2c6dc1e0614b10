/** A whole board as the JSON that Grafana imports: its panels placed, its variables, and what it marks in every panel. */

import { type Annotation, annotations } from './annotations.ts'
import type { BoardJson, LinkJson, PanelJson, RowJson, VariableJson } from './grafana-types.ts'
import type { Panel, Row } from './panel.ts'
import { datasource, panelJson } from './panel-json.ts'

export interface About {
  /** The end of its address, `/d/…`, and the name of its file. */
  readonly uid: string
  readonly title: string
  readonly description: string
}

export interface Content {
  readonly panels: BoardJson['panels']
  /** Whether it asks Prometheus for anything. */
  readonly hasQueries: boolean
}

/** `others`: the boards that it leads to, with the variables and the time that were chosen. */
export function boardJson(about: About, { panels, hasQueries }: Content, others: readonly About[]): BoardJson {
  return {
    ...about,
    annotations: { list: hasQueries ? annotations.map(annotationJson) : [] },
    editable: true,
    fiscalYearStartMonth: 0,
    graphTooltip: 1,
    id: null,
    links: others.map(linkJson),
    panels,
    preload: false,
    refresh: hasQueries ? '10s' : '',
    schemaVersion: 42,
    tags: ['lmx-gateway', 'llm'],
    templating: { list: hasQueries ? [datasourceVariable, ...labelVariables.map(labelVariable)] : [] },
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    version: 1,
  }
}

const columns = 24

type LinksOf = Parameters<typeof panelJson>[1]

/** Rows one below the other, the panels of each from left to right and on as many lines as they need. */
export function placed(rows: readonly Row[], { headings, linksOf }: { headings: boolean; linksOf: LinksOf }) {
  const json: (PanelJson | RowJson)[] = []
  let y = 0
  for (const row of rows) {
    if (headings) {
      json.push({ ...rowJson(row), id: json.length + 1, gridPos: { x: 0, y, w: columns, h: 1 } })
      y += 1
    }
    let x = 0
    let lineHeight = 0
    for (const panel of row.panels) {
      const h = heightOf(panel)
      if (x + panel.width > columns) {
        x = 0
        y += lineHeight
        lineHeight = 0
      }
      json.push({ ...panelJson(panel, linksOf), id: json.length + 1, gridPos: { x, y, w: panel.width, h } })
      x += panel.width
      lineHeight = Math.max(lineHeight, h)
    }
    y += lineHeight
  }
  return json
}

function heightOf({ kind, height }: Panel): number {
  return height ?? (kind === 'stat' ? 4 : 8)
}

function rowJson({ title }: Row): Omit<RowJson, 'id'> {
  return { type: 'row', title, collapsed: false, panels: [] }
}

function annotationJson({ name, expr, text, color }: Annotation) {
  return {
    name,
    datasource,
    enable: true,
    hide: false,
    iconColor: color,
    expr,
    titleFormat: name,
    textFormat: text,
    tagKeys: '',
    step: '15s',
    useValueForTime: false,
  }
}

function linkJson({ uid, title, description }: About): LinkJson {
  return {
    type: 'link',
    title,
    tooltip: description,
    url: `/d/${uid}`,
    icon: 'dashboard',
    tags: [],
    asDropdown: false,
    includeVars: true,
    keepTime: true,
    targetBlank: false,
  }
}

const datasourceVariable: VariableJson = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  hide: 0,
}

const labelVariables = [
  { name: 'model', label: 'Model', query: 'label_values(lmx_gateway_requests_total, model)' },
  { name: 'host', label: 'Host', query: 'label_values(lmx_gateway_host_up, host)' },
  { name: 'key', label: 'Key', query: 'label_values(lmx_gateway_requests_total, key)' },
  // Has no values where a gateway stands alone, and All takes those without one.
  { name: 'replica', label: 'Gateway', query: 'label_values(lmx_gateway_build_info, replica)' },
] as const

function labelVariable({ name, label, query }: (typeof labelVariables)[number]): VariableJson {
  return {
    name,
    label,
    type: 'query',
    datasource,
    query: { query, refId: 'variable' },
    includeAll: true,
    // Instead of a long alternation of every value; also matches series that came after the page was opened.
    allValue: '.*',
    multi: true,
    current: { selected: true, text: ['All'], value: ['$__all'] },
    // When the time range changes: a model may have been used only then.
    refresh: 2,
    sort: 1,
    regex: '',
    hide: 0,
  }
}
