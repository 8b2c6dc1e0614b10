/** Grafana's own types of what its boards are made of, so that the compiler sees an option that does not exist. */

import type {
  Dashboard,
  DashboardLink,
  Panel,
  RowPanel,
  TableOptions,
  ThresholdsConfig,
  ValueMapping,
  VariableModel,
} from '@grafana/schema'
import type {
  Options as HeatmapOptions,
  FieldConfig as HeatmapStyle,
} from '@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen'
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type {
  Options as StatesOptions,
  FieldConfig as StatesStyle,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen'
import type { FieldConfig as TableStyle } from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen'
import type { Options as TextOptions } from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen'
import type {
  Options as LinesOptions,
  FieldConfig as LinesStyle,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'

/** The JSON of a type: its enumerations are written as their values. */
type Json<T> = T extends string
  ? `${T}`
  : T extends number
    ? number
    : T extends readonly (infer Item)[]
      ? readonly Json<Item>[]
      : T extends object
        ? { readonly [K in keyof T]: Json<T[K]> }
        : T

export type BoardJson = Json<Omit<Dashboard, 'panels'>> & { readonly panels: readonly (PanelJson | RowJson)[] }
export type PanelJson = Json<Panel>
export type RowJson = Json<Omit<RowPanel, 'panels'>> & { readonly panels: readonly PanelJson[] }
export type LinkJson = Json<DashboardLink>
export type ThresholdsJson = Json<ThresholdsConfig>
export type MappingJson = Json<ValueMapping>
export type VariableJson = Json<VariableModel>

/** The options of each type of panel, and how it draws its fields. */
export interface OptionsOf {
  readonly timeseries: Json<LinesOptions>
  readonly stat: Json<StatOptions>
  readonly heatmap: Json<HeatmapOptions>
  readonly 'state-timeline': Json<StatesOptions>
  readonly table: Json<TableOptions>
  readonly text: Json<TextOptions>
}
export interface StyleOf {
  readonly timeseries: Json<LinesStyle>
  readonly heatmap: Json<HeatmapStyle>
  readonly 'state-timeline': Json<StatesStyle>
  readonly table: Json<TableStyle>
}
