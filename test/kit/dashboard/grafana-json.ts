/** Turns short panel descriptions into the JSON that Grafana imports, so that every panel looks and behaves alike. */

export interface Target {
  readonly expr: string
  /** Grafana's legend template, `{{label}}`. */
  readonly legend: string
}

export interface Panel {
  readonly kind: 'stat' | 'lines' | 'stacked' | 'heatmap' | 'states' | 'table'
  readonly title: string
  /** What the figure means and how it is made, shown at the panel. */
  readonly description: string
  /** A unit of Grafana's: `s`, `bytes`, `percentunit`, `suffix: tok/s`. */
  readonly unit: string
  readonly targets: readonly Target[]
  /** Of 24 columns. */
  readonly width: number
  /** Values from which the panel turns orange and red. */
  readonly alarms?: readonly [orange: number, red: number]
  readonly max?: number
}

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface Variable {
  readonly name: string
  readonly label: string
  readonly query: string
}

interface Json {
  readonly [name: string]: string | number | boolean | null | Json | readonly (Json | string | number | null)[]
}

const columns = 24
const datasource: Json = { type: 'prometheus', uid: '${datasource}' }

export function dashboardJson(
  title: string,
  description: string,
  variables: readonly Variable[],
  rows: readonly Row[],
) {
  return {
    annotations: { list: [] },
    description,
    editable: true,
    fiscalYearStartMonth: 0,
    graphTooltip: 1,
    id: null,
    links: [],
    panels: placed(rows),
    preload: false,
    refresh: '10s',
    schemaVersion: 42,
    tags: ['lmx-gateway', 'llm'],
    templating: { list: [datasourceVariable(), ...variables.map(labelVariable)] },
    time: { from: 'now-1h', to: 'now' },
    timepicker: {},
    timezone: 'browser',
    title,
    uid: 'lmx-gateway',
    version: 1,
  }
}

/** Rows one below the other, the panels of each from left to right and on as many lines as they need. */
function placed(rows: readonly Row[]): Json[] {
  const json: Json[] = []
  let y = 0
  for (const row of rows) {
    json.push({ ...rowJson(row), id: json.length + 1, gridPos: { x: 0, y, w: columns, h: 1 } })
    y += 1
    let x = 0
    let lineHeight = 0
    for (const panel of row.panels) {
      const height = panel.kind === 'stat' ? 4 : 8
      if (x + panel.width > columns) {
        x = 0
        y += lineHeight
        lineHeight = 0
      }
      json.push({ ...panelJson(panel), id: json.length + 1, gridPos: { x, y, w: panel.width, h: height } })
      x += panel.width
      lineHeight = Math.max(lineHeight, height)
    }
    y += lineHeight
  }
  return json
}

function rowJson(row: Row): Json {
  return { type: 'row', title: row.title, collapsed: false, panels: [] }
}

const types = {
  stat: 'stat',
  lines: 'timeseries',
  stacked: 'timeseries',
  heatmap: 'heatmap',
  states: 'state-timeline',
  table: 'table',
} as const

function panelJson(panel: Panel): Json {
  return {
    type: types[panel.kind],
    title: panel.title,
    description: panel.description,
    datasource,
    targets: panel.targets.map((target, index) => targetJson(panel, target, index)),
    fieldConfig: { defaults: defaultsJson(panel), overrides: panel.kind === 'lines' ? [limitsOverride] : [] },
    options: optionsJson(panel),
    ...(panel.kind === 'table' ? { transformations: [onlyLabels] } : {}),
  }
}

const onlyLabels: Json = { id: 'organize', options: { excludeByName: { Time: true, Value: true } } }

const formats = {
  stat: 'time_series',
  lines: 'time_series',
  stacked: 'time_series',
  heatmap: 'heatmap',
  states: 'time_series',
  table: 'table',
} as const

function targetJson(panel: Panel, target: Target, index: number): Json {
  const instant = panel.kind === 'table'
  return {
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    editorMode: 'code',
    expr: target.expr,
    legendFormat: target.legend,
    format: formats[panel.kind],
    instant,
    range: !instant,
  }
}

function defaultsJson(panel: Panel): Json {
  const base = {
    unit: panel.unit,
    ...(panel.max === undefined ? {} : { max: panel.max }),
    thresholds: thresholds(panel),
  }
  switch (panel.kind) {
    case 'lines':
    case 'stacked':
      return { ...base, min: 0, color: { mode: 'palette-classic' }, custom: curve(panel.kind) }
    case 'states':
      return { ...base, color: { mode: 'thresholds' }, custom: { fillOpacity: 80, lineWidth: 0 }, mappings: upOrDown }
    case 'stat':
      return { ...base, color: { mode: 'thresholds' } }
    case 'heatmap':
    case 'table':
      return base
  }
}

function curve(kind: 'lines' | 'stacked'): Json {
  return {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: kind === 'stacked' ? 40 : 8,
    showPoints: 'never',
    // A gap is a time without such requests; a line across it would be an invention.
    spanNulls: false,
    stacking: { mode: kind === 'stacked' ? 'normal' : 'none', group: 'A' },
  }
}

function thresholds(panel: Panel): Json {
  if (panel.kind === 'states') {
    return { mode: 'absolute', steps: [step('red', null), step('green', 1)] }
  }
  const alarms = panel.alarms === undefined ? [] : [step('orange', panel.alarms[0]), step('red', panel.alarms[1])]
  return { mode: 'absolute', steps: [step('green', null), ...alarms] }
}

function step(color: string, value: number | null): Json {
  return { color, value }
}

const upOrDown: readonly Json[] = [
  { type: 'value', options: { '0': { text: 'down', index: 0 }, '1': { text: 'up', index: 1 } } },
]

/** What bounds the other lines of its panel is dashed and grey; such targets end their legend in " limit". */
const limitsOverride: Json = {
  matcher: { id: 'byRegexp', options: '/ limit$/' },
  properties: [
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'color', value: { mode: 'fixed', fixedColor: 'text' } },
  ],
}

function optionsJson(panel: Panel): Json {
  switch (panel.kind) {
    case 'lines':
    case 'stacked':
      return {
        legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['mean', 'max', 'lastNotNull'] },
        tooltip: { mode: 'multi', sort: 'desc' },
      }
    case 'stat':
      return {
        colorMode: 'value',
        graphMode: 'area',
        justifyMode: 'auto',
        orientation: 'auto',
        percentChangeColorMode: 'standard',
        showPercentChange: false,
        wideLayout: true,
        reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        textMode: panel.targets.length > 1 ? 'value_and_name' : 'value',
      }
    case 'heatmap':
      return {
        calculate: false,
        cellGap: 1,
        color: { mode: 'scheme', scheme: 'Spectral', steps: 64, exponent: 0.5, reverse: true, fill: 'dark-orange' },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
        legend: { show: true },
        rowsFrame: { layout: 'auto' },
        showValue: 'never',
        tooltip: { mode: 'single', yHistogram: true },
        yAxis: { axisPlacement: 'left', unit: panel.unit },
      }
    case 'states':
      return {
        alignValue: 'left',
        legend: { displayMode: 'list', placement: 'bottom', showLegend: false, calcs: [] },
        mergeValues: true,
        rowHeight: 0.8,
        showValue: 'auto',
        tooltip: { mode: 'single', sort: 'none' },
      }
    case 'table':
      return { cellHeight: 'sm', frameIndex: 0, showHeader: true }
  }
}

function datasourceVariable(): Json {
  return { name: 'datasource', label: 'Data source', type: 'datasource', query: 'prometheus', hide: 0 }
}

function labelVariable(variable: Variable): Json {
  return {
    name: variable.name,
    label: variable.label,
    type: 'query',
    datasource,
    query: { query: variable.query, refId: 'variable' },
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
