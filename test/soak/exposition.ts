/** Sums over series of the gateway's metrics page. */

export function sumOf(page: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  let sum = 0
  for (const line of page.split('\n')) {
    const match = /^lmx_gateway_(?<name>[a-z_]+)(?:\{(?<labels>.*)\})? (?<value>\S+)$/.exec(line)?.groups
    if (match?.['name'] !== name) continue
    const own = `,${match['labels'] ?? ''},`
    if (Object.entries(labels).every(([key, value]) => own.includes(`,${key}="${value}",`)))
      sum += Number(match['value'])
  }
  return sum
}

export function metricNamesIn(page: string): ReadonlySet<string> {
  return new Set([...page.matchAll(/^# TYPE lmx_gateway_([a-z_]+) /gm)].map((match) => match[1] ?? ''))
}
