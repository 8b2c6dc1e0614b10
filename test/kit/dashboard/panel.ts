/** What a board shows, in the few words that differ from panel to panel; `panel-json.ts` makes Grafana's JSON of them. */

export interface Row {
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface Panel {
  readonly kind: 'stat' | 'lines' | 'stacked' | 'heatmap' | 'states' | 'table'
  readonly title: string
  /** What the figure means and how it is made, shown at the panel. */
  readonly description: string
  /** A unit of Grafana's: `s`, `bytes`, `percentunit`, `suffix: tok/s`. */
  readonly unit: string
  readonly targets: readonly Target[]
  /** Asked for its last value alone: for what moves so slowly, or costs so much, that a curve is not worth it. */
  readonly instant?: boolean
  /** Of 24 columns. */
  readonly width: number
  /** In rows of Grafana's grid; 4 for single figures and 8 for the others. */
  readonly height?: number
  /** Values from which the panel turns orange and red. */
  readonly alarms?: readonly [orange: number, red: number]
  /** Values below which it does, for figures that are better the larger they are. */
  readonly floors?: readonly [orange: number, red: number]
  readonly max?: number
  /** What values of states mean, by value. */
  readonly states?: readonly State[]
  /** Shown in place of a panel that has nothing to show. */
  readonly whenEmpty?: string
  /** Alerts whose lines in the runbook concern it. */
  readonly alerts?: readonly string[]
}

export interface Target {
  readonly expr: string
  /** Grafana's legend template, `{{label}}`. One that ends in " limit" is dashed: it bounds the others. */
  readonly legend: string
  /** The axis on the right, in this unit. */
  readonly rightUnit?: string
  /** Asks for the requests behind single values, too. */
  readonly exemplars?: boolean
}

export interface State {
  readonly value: number
  readonly text: string
  readonly color: 'green' | 'blue' | 'orange' | 'red'
}
