/** Turns the description of a panel into the JSON that Grafana reads, so that every panel looks and behaves alike. */

import type { MappingJson, OptionsOf, PanelJson, StyleOf, ThresholdsJson } from './grafana-types.ts'
import type { Panel, Target } from './panel.ts'

export const datasource = { type: 'prometheus', uid: '${datasource}' } as const

type LinksOf = (panel: Panel) => { readonly title: string; readonly url: string }[]

export function panelJson(panel: Panel, linksOf: LinksOf): PanelJson {
  return {
    type: types[panel.kind],
    title: panel.title,
    description: panel.description,
    datasource,
    links: linksOf(panel).map((link) => ({ ...link, ...plainLink })),
    targets: panel.targets.map((target, index) => targetJson(panel, target, index)),
    fieldConfig: { defaults: defaultsJson(panel), overrides: overridesJson(panel) },
    options: optionsJson(panel),
    ...(panel.kind === 'table' ? { transformations: [tableColumns(panel)] } : {}),
  }
}

const plainLink = {
  type: 'link',
  icon: '',
  tooltip: '',
  tags: [],
  asDropdown: false,
  includeVars: false,
  keepTime: false,
  targetBlank: true,
} as const

const types = {
  stat: 'stat',
  lines: 'timeseries',
  stacked: 'timeseries',
  heatmap: 'heatmap',
  states: 'state-timeline',
  table: 'table',
} as const

function targetJson({ kind, instant = kind === 'table' }: Panel, target: Target, index: number) {
  return {
    refId: String.fromCharCode('A'.charCodeAt(0) + index),
    editorMode: 'code',
    expr: target.expr,
    legendFormat: target.legend,
    format: kind === 'table' || kind === 'heatmap' ? kind : 'time_series',
    instant,
    range: !instant,
    exemplar: target.exemplars === true,
  }
}

function defaultsJson(panel: Panel) {
  const base = {
    unit: panel.unit,
    thresholds: thresholds(panel),
    ...(panel.max === undefined ? {} : { max: panel.max }),
    ...(panel.whenEmpty === undefined ? {} : { noValue: panel.whenEmpty }),
  }
  const byThresholds = { mode: 'thresholds' } as const
  switch (panel.kind) {
    case 'lines':
    case 'stacked':
      return { ...base, min: 0, color: { mode: 'palette-classic' }, custom: curve(panel) } as const
    case 'states':
      return { ...base, color: byThresholds, custom: stateStyle, mappings: stateTexts(panel) }
    case 'stat':
      return { ...base, color: byThresholds }
    case 'heatmap':
      return base
    case 'table':
      return { ...base, color: byThresholds, custom: cellStyle(panel) }
  }
}

function curve({ kind, alarms, floors }: Panel) {
  return {
    drawStyle: 'line',
    lineInterpolation: 'linear',
    lineWidth: 1,
    fillOpacity: kind === 'stacked' ? 40 : 8,
    showPoints: 'never',
    // A gap is a time without such requests; a line across it would be an invention.
    spanNulls: false,
    stacking: { mode: kind === 'stacked' ? 'normal' : 'none', group: 'A' },
    thresholdsStyle: { mode: alarms === undefined && floors === undefined ? 'off' : 'dashed' },
  } as const satisfies StyleOf['timeseries']
}

const stateStyle = { fillOpacity: 80, lineWidth: 0 } as const satisfies StyleOf['state-timeline']

function cellStyle({ alarms, floors }: Panel) {
  const type = alarms === undefined && floors === undefined ? 'auto' : 'color-text'
  return { align: 'auto', cellOptions: { type }, inspect: false } as const satisfies StyleOf['table']
}

function thresholds({ alarms, floors, states }: Panel): ThresholdsJson {
  if (states !== undefined) {
    const steps = states.map(({ value, color }, index) => ({ color, value: index === 0 ? null : value }))
    return { mode: 'absolute', steps }
  }
  if (floors !== undefined) {
    const [orange, red] = floors
    return { mode: 'absolute', steps: [step('red', null), step('orange', red), step('green', orange)] }
  }
  const above = alarms === undefined ? [] : [step('orange', alarms[0]), step('red', alarms[1])]
  return { mode: 'absolute', steps: [step('green', null), ...above] }
}

function step(color: string, value: number | null) {
  return { color, value }
}

function stateTexts({ states = [] }: Panel): MappingJson[] {
  const options = states.map(({ value, text, color }, index) => [String(value), { text, color, index }] as const)
  return [{ type: 'value', options: Object.fromEntries(options) }]
}

function overridesJson(panel: Panel) {
  if (panel.kind !== 'lines') return []
  const right = panel.targets.flatMap(({ rightUnit }, index) =>
    rightUnit === undefined ? [] : [onTheRight(String.fromCharCode('A'.charCodeAt(0) + index), rightUnit)],
  )
  return [limitsOverride, ...right]
}

/** What bounds the other lines of its panel is dashed and grey. */
const limitsOverride = {
  matcher: { id: 'byRegexp', options: '/ (?:limit|in all|capacity)$/' },
  properties: [
    { id: 'custom.lineStyle', value: { fill: 'dash', dash: [6, 6] } },
    { id: 'custom.fillOpacity', value: 0 },
    { id: 'color', value: { mode: 'fixed', fixedColor: 'text' } },
  ],
}

function onTheRight(refId: string, unit: string) {
  return {
    matcher: { id: 'byFrameRefID', options: refId },
    properties: [
      { id: 'custom.axisPlacement', value: 'right' },
      { id: 'unit', value: unit },
      { id: 'custom.lineStyle', value: { fill: 'dot', dash: [2, 4] } },
      { id: 'custom.fillOpacity', value: 0 },
    ],
  }
}

/** A figure has a column of its own; what only says that a label set exists has none. */
function tableColumns({ unit }: Panel) {
  const isFigure = unit !== 'none'
  const options = {
    excludeByName: { Time: true, ...(isFigure ? {} : { Value: true }) },
    renameByName: isFigure ? { Value: 'value' } : {},
  }
  return { id: 'organize', options }
}

function optionsJson(panel: Panel) {
  switch (panel.kind) {
    case 'lines':
    case 'stacked':
      return linesOptions
    case 'stat':
      return statOptionsOf(panel)
    case 'heatmap':
      return heatmapOptions(panel.unit)
    case 'states':
      return statesOptions
    case 'table':
      return tableOptions
  }
}

const linesOptions = {
  legend: { displayMode: 'table', placement: 'bottom', showLegend: true, calcs: ['mean', 'max', 'lastNotNull'] },
  tooltip: { mode: 'multi', sort: 'desc' },
} as const satisfies OptionsOf['timeseries']

const statOptions = {
  colorMode: 'value',
  graphMode: 'area',
  justifyMode: 'auto',
  orientation: 'auto',
  percentChangeColorMode: 'standard',
  showPercentChange: false,
  wideLayout: true,
  reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
  textMode: 'value',
} as const satisfies OptionsOf['stat']

function statOptionsOf({ instant, targets }: Panel) {
  return {
    ...statOptions,
    textMode: targets.length > 1 ? 'value_and_name' : 'value',
    graphMode: instant === true ? 'none' : 'area',
  } as const
}

function heatmapOptions(unit: string) {
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
    yAxis: { axisPlacement: 'left', unit },
  } as const satisfies OptionsOf['heatmap']
}

const statesOptions = {
  alignValue: 'left',
  legend: { displayMode: 'list', placement: 'bottom', showLegend: false, calcs: [] },
  mergeValues: true,
  rowHeight: 0.8,
  showValue: 'auto',
  tooltip: { mode: 'single', sort: 'none' },
} as const satisfies OptionsOf['state-timeline']

const tableOptions = {
  cellHeight: 'sm',
  frameIndex: 0,
  showHeader: true,
  sortBy: [],
} as const satisfies OptionsOf['table']
