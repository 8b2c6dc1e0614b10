/** What Grafana makes of a query before it asks Prometheus. */

export interface Chosen {
  /** A window that holds four scrapes and more. */
  readonly rateInterval: string
  /** What is chosen in each variable; All where nothing is. */
  readonly values?: Readonly<Record<string, readonly string[]>>
}

/** Values of a variable that stands in a matcher are escaped and become alternatives; All becomes its `allValue`. */
export function asGrafana(expr: string, { rateInterval, values = {} }: Chosen): string {
  return expr.replaceAll(/\$(\w+)/g, (_all, name: string) => {
    if (name === '__rate_interval') return rateInterval
    const [first = '.*', ...others] = (values[name] ?? []).map(escaped)
    return others.length === 0 ? first : `(${[first, ...others].join('|')})`
  })
}

/** With two backslashes: one is of the text of PromQL, in which the regular expression stands. */
function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\\\\\').replaceAll(/[$^*{}[\]+?.()|]/g, String.raw`\\$&`)
}
