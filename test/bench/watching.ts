/** How closely a gateway of the benchmark is watched: what its metrics, logs and traces cost is measured like any change. */

export interface Watching {
  /** For people. */
  readonly words: string
  /** Of its configuration, before this host. */
  readonly config: (hostUrl: string) => object
  /** How often its /metrics is read; null for never. */
  readonly scrapeEveryMs: number | null
  /** Clients ask for the speed receipt. */
  readonly receipts: boolean
}

/** As it comes. */
export const asItComes: Watching = { words: '', config: () => ({}), scrapeEveryMs: null, receipts: false }

export const metricsOff: Watching = {
  ...asItComes,
  words: ', metrics off',
  config: () => ({ metrics: { enabled: false } }),
}

/** Everything that can be seen is looked at: each request traced, metrics scraped and sent, receipts asked for. */
export const everythingOn: Watching = {
  words: ', metrics, traces and receipts on',
  config: (hostUrl) => ({ otlp: { endpoint: hostUrl, metrics: true, metricsIntervalMs: 5_000 } }),
  scrapeEveryMs: 5_000,
  receipts: true,
}

/** As of a gateway that has run for some minutes: the code of a scrape is compiled then. */
const scrapesBefore = 20

/** Reads /metrics from time to time, as Prometheus does, until it is disposed of. */
export async function scrape(adminUrl: string, everyMs: number | null): Promise<Disposable> {
  if (everyMs === null) return { [Symbol.dispose]: () => {} }
  for (let warm = 0; warm < scrapesBefore; warm++) await read(`${adminUrl}/metrics`)
  const timer = setInterval(() => void read(`${adminUrl}/metrics`), everyMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** A gateway that is just being ended does not answer. */
async function read(url: string): Promise<void> {
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5'
  await fetch(url, { headers: { accept } }).then(
    (response) => response.text(),
    () => {},
  )
}
