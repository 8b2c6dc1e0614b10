/** The PromQL of what LMX says of itself, where it is scraped: names are those of its exporter, and `host` is the name that the gateway has for it. */

const ofHost = '{host=~"$host"}'

export function lmxGauge(name: string): string {
  return `sum by (host) (lmx_${name}${ofHost})`
}

/** Per second. */
export function lmxRate(name: string): string {
  return `sum by (host) (rate(lmx_${name}${ofHost}[$__rate_interval]))`
}

export function lmxQuantile(q: number, name: string): string {
  return `histogram_quantile(${q}, sum by (le, host) (rate(lmx_${name}_bucket${ofHost}[$__rate_interval])))`
}
