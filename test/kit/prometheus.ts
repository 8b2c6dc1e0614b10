/** A real Prometheus for tests: a child process with a store of its own, on a port of the system's choice. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { within } from './within.ts'

/** Debian's package; without it these tests cannot run, and where all tests must run that is a failure. */
export const prometheusMissing = spawnSync('prometheus', ['--version']).error !== undefined

type SeriesLabels = Readonly<Record<string, string>>
/** Unix seconds. */
type Point = readonly [time: number, value: string]

interface Sample {
  readonly metric: SeriesLabels
  readonly value: Point
}

interface Alert {
  readonly labels: SeriesLabels
  readonly annotations: SeriesLabels
  readonly state: 'pending' | 'firing'
}

export interface PrometheusOptions {
  /** Texts of rule files. */
  readonly ruleFiles?: readonly string[]
  /** Between two scrapes of a target; rules whose group says nothing else are evaluated as often. */
  readonly everyMs?: number
}

export interface Prometheus {
  readonly url: string
  /** The instant vector that a query has now; throws what Prometheus finds wrong with it. */
  query(expr: string): Promise<readonly Sample[]>
  /** Every sample of a selector in the seconds up to a Unix time, the oldest first. */
  points(
    selector: string,
    seconds: number,
    until: number,
  ): Promise<readonly { metric: SeriesLabels; values: Point[] }[]>
  /** Labels of every series it has ever had of what matches. */
  series(match: string): Promise<readonly SeriesLabels[]>
  /** Those that are not inactive. */
  alerts(): Promise<readonly Alert[]>
  /** Labels and values of what is scraped, `up` or `down` with the reason. */
  targets(): Promise<readonly { health: string; lastError: string }[]>
  stop(): Promise<void>
}

/** Scrapes every second unless told otherwise, with the scrape configuration that is given. */
export async function startPrometheus(
  scrapeConfigs: readonly object[],
  { ruleFiles = [], everyMs = 1_000 }: PrometheusOptions = {},
): Promise<Prometheus> {
  const directory = mkdtempSync(join(tmpdir(), 'prometheus-'))
  const configFile = join(directory, 'prometheus.yml')
  const interval = `${everyMs}ms`
  for (const [at, text] of ruleFiles.entries()) writeFileSync(join(directory, `rules-${at}.yml`), text)
  const config = {
    global: { scrape_interval: interval, scrape_timeout: interval, evaluation_interval: interval },
    rule_files: ['rules-*.yml'],
    scrape_configs: scrapeConfigs,
  }
  // JSON is YAML.
  writeFileSync(configFile, JSON.stringify(config))
  const child = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      '--web.listen-address=127.0.0.1:0',
      '--enable-feature=exemplar-storage',
      '--log.format=json',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await within(5_000, 'the end of Prometheus', exited)
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    const url = await within(20_000, 'Prometheus to listen', listeningUrl(child))
    await within(20_000, 'Prometheus to be ready', ready(url))
    return {
      url,
      stop,
      query: (expr) => queried(url, { query: expr }),
      points: (selector, seconds, until) =>
        queried(url, { query: `${selector}[${Math.round(seconds * 1000)}ms]`, time: String(until) }),
      series: (match) => told(url, `series?${new URLSearchParams({ 'match[]': match }).toString()}`),
      alerts: async () => (await told<{ alerts: Alert[] }>(url, 'alerts')).alerts,
      targets: async () =>
        (await told<{ activeTargets: { health: string; lastError: string }[] }>(url, 'targets?state=active'))
          .activeTargets,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Runs `promtool check metrics`; returns what it finds wrong, an empty text when nothing is. */
export function promtoolProblems(exposition: string): string {
  const { status, stderr, stdout, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: exposition,
    encoding: 'utf8',
  })
  if (error !== undefined) throw error
  return status === 0 ? '' : stderr + stdout
}

/** Throws what promtool finds wrong with a configuration file. */
export function checkPrometheusConfig(path: string): void {
  execFileSync('promtool', ['check', 'config', path], { stdio: 'pipe' })
}

/** The log tells the port that the system chose. */
function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = ''
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Prometheus ended with ${code}: ${log}`)))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log += text
      const port = /"address":"127\.0\.0\.1:(?<port>[1-9]\d*)"/.exec(log)?.groups?.['port']
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`)
    })
  })
}

async function ready(url: string): Promise<void> {
  while (!(await answersOk(`${url}/-/ready`))) await pause(50)
}

async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url)
  await response.arrayBuffer()
  return response.ok
}

async function queried<Result>(url: string, parameters: Record<string, string>): Promise<readonly Result[]> {
  const response = await fetch(`${url}/api/v1/query`, { method: 'POST', body: new URLSearchParams(parameters) })
  const answer = (await response.json()) as { error?: string; data?: { result: Result[] } }
  if (answer.data === undefined) throw new Error(`${answer.error ?? response.status} in ${parameters['query']}`)
  return answer.data.result
}

async function told<Data>(url: string, path: string): Promise<Data> {
  const response = await fetch(`${url}/api/v1/${path}`)
  return ((await response.json()) as { data: Data }).data
}
