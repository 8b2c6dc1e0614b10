/** What one rule is; durations are as Prometheus writes them (`5m`), and windows stand in the PromQL as such. */

/** `level:metric:operation`; the level names the labels that are kept beside `job`. */
export interface Recording {
  readonly record: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface Alert {
  readonly alert: string
  readonly expr: string
  /** How long it must hold; at once where absent. */
  readonly for?: string
  /** page: somebody gets up; ticket: within days; info: good to know. */
  readonly severity: 'page' | 'ticket' | 'info'
  /** One line, with the labels. */
  readonly summary: string
  /** With the value. */
  readonly description: string
  /** The lines of README's runbook. */
  readonly runbook: {
    readonly means: string
    readonly look: string
    readonly act: string
  }
}

/** Of the scrape configuration that is shipped; rules that read `up` need it. */
export const job = 'lmx-gateway'

/** As GitHub makes it from the heading. */
export function anchorOf(alert: string): string {
  return alert.toLowerCase()
}
