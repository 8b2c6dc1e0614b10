/** What a real Prometheus makes of the gateway: it scrapes one under load and answers every query of the dashboard. */

import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configOf } from '../../src/config/resolve.ts'
import { createGateway } from '../../src/gateway.ts'
import { metricPrefix } from '../../src/observe/metric-names.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { dashboard } from '../kit/dashboard/dashboard.ts'
import { type LmxDouble, startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import {
  checkPrometheusConfig,
  type Prometheus,
  prometheusMissing,
  promtoolProblems,
  startPrometheus,
} from '../kit/prometheus.ts'
import { outcome, ScriptedSources, tellEverything } from '../kit/scripted-sources.ts'
import { silentLog } from '../kit/silent-log.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write('prometheus is not installed (apt-get install prometheus): its tests are skipped\n')
}

const model = 'org/stub-a'
const queries = dashboard().panels.flatMap((panel) => targetsOf(panel).map(({ expr }) => expr))

describe.skipIf(prometheusMissing && !mustRun)('a real Prometheus', () => {
  const doubles: LmxDouble[] = []
  const ends: (() => Promise<void>)[] = []
  let prometheus: Prometheus
  let dataUrl = ''
  let adminUrl = ''

  beforeAll(async () => {
    for (let index = 0; index < 2; index += 1) {
      const cost = { ttftMs: 40, decodeTokensPerSecond: 200 }
      const double = await startLmxDouble({ models: [model], slots: 2, answerTokens: 20, cost })
      doubles.push(double)
      ends.unshift(() => double.stop())
    }
    const config = configOf({
      server: { port: 0 },
      admin: { port: 0 },
      hosts: doubles.map(({ url }, index) => ({ name: `host-${index}`, url })),
    })
    const gateway = createGateway(config, { version: '1.2.3', log: silentLog })
    ;({ dataUrl, adminUrl } = await gateway.start())
    ends.unshift(() => gateway.stop({ now: true }))
    await gateway.firstProbes()
    const target = { targets: [new URL(adminUrl).host] }
    prometheus = await startPrometheus([{ job_name: 'lmx-gateway', static_configs: [target] }])
    ends.unshift(() => prometheus.stop())
  }, 60_000)

  afterAll(async () => {
    for (const end of ends) await end()
  }, 30_000)

  it('has an answer with figures for every query of the dashboard, while the gateway is under load', async () => {
    const load = startLoad(dataUrl)
    try {
      const unanswered = await unansweredAfter(prometheus, queries, 60_000)
      expect(unanswered).toEqual([])
    } finally {
      await load.stop()
    }
    expect(queries.length).toBeGreaterThan(50)
    expect(await prometheus.targets()).toEqual([expect.objectContaining({ health: 'up', lastError: '' })])
  }, 90_000)

  it('would not pass a query that has no data', async () => {
    expect(await unansweredAfter(prometheus, ['lmx_gateway_no_such'], 100)).toEqual(['lmx_gateway_no_such'])
  })

  it('finds nothing wrong with the names, types and texts of our metrics', async () => {
    const response = await fetch(`${adminUrl}/metrics`)
    const body = await response.text()
    expect(promtoolProblems(ours(body))).toBe('')
    // The check does look: these names of the Node.js collectors are against its rules.
    expect(promtoolProblems(body)).toContain('nodejs_active_handles_total')
  })

  it('reads names that hold quotes, backslashes and line feeds', async () => {
    const sources = new ScriptedSources()
    const name = 'a"b\\c\nd}e{f,g="h"\ud800\u2028'
    sources.models.add(name)
    sources.hostStates[0]!.name = name
    const metrics = createMetrics(sources)
    tellEverything(metrics)
    metrics.requestEnded(outcome({ model: name, host: name, key: name }))
    metrics.requestEnded(outcome({ key: `${name}\udfff` }))
    const { body } = await metrics.render()
    expect(promtoolProblems(ours(body.toString()))).toBe('')
  })

  it('accepts the configuration that is shipped', () => {
    const path = new URL('../../grafana/prometheus.yml', import.meta.url).pathname
    expect(() => checkPrometheusConfig(path)).not.toThrow()
  })
})

/** Queries that found no figure until the deadline. One that is not PromQL throws. */
async function unansweredAfter(prometheus: Prometheus, asked: readonly string[], ms: number): Promise<string[]> {
  const deadlineMs = performance.now() + ms
  let open = [...asked]
  for (;;) {
    const answers = await Promise.all(open.map((expr) => hasFigure(prometheus, expr)))
    open = open.filter((_, index) => !answers[index])
    if (open.length === 0 || performance.now() > deadlineMs) return open
    await pause(250)
  }
}

async function hasFigure(prometheus: Prometheus, expr: string): Promise<boolean> {
  // What Grafana does before it asks; with a scrape each second ten seconds are more than the four samples it wants.
  const plain = expr.replaceAll('$__rate_interval', '10s').replaceAll(/\$(?:host|model)\b/g, '.*')
  const samples = await prometheus.query(plain)
  return samples.some(({ value: [, figure] }) => Number.isFinite(Number(figure)))
}

/** Twelve clients for four slots, so that some wait: streams, whole answers, one who leaves, one whose host fails. */
function startLoad(dataUrl: string): { stop(): Promise<void> } {
  const stopped = new AbortController()
  const client = async (index: number) => {
    while (!stopped.signal.aborted) await ask(dataUrl, index, stopped.signal)
  }
  const clients = Array.from({ length: 12 }, (_, index) => client(index))
  return {
    async stop() {
      stopped.abort()
      await Promise.all(clients)
    },
  }
}

async function ask(dataUrl: string, index: number, stopped: AbortSignal): Promise<void> {
  const leaves = index === 0
  const fails = index === 1
  const content = fails ? '[[fault:{"internalError":true}]]' : 'Tell me a story.'
  const body = JSON.stringify({ model, stream: index % 3 !== 2, messages: [{ role: 'user', content }] })
  const signal = leaves ? AbortSignal.any([stopped, AbortSignal.timeout(100)]) : stopped
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${dataUrl}/v1/chat/completions`, { method: 'POST', headers, body, signal })
    await response.text()
    if (!response.ok) await pause(200, undefined, { signal })
  } catch (error) {
    // Leaving is what this client is for; anything else is a fault of the gateway.
    if (!signal.aborted) throw error
  }
}

/** The lines of our own metrics. */
function ours(exposition: string): string {
  const lines = exposition.split('\n').filter((line) => line.replace(/^# \w+ /, '').startsWith(metricPrefix))
  return `${lines.join('\n')}\n`
}

function targetsOf(panel: object): readonly { expr: string }[] {
  return 'targets' in panel ? (panel.targets as { expr: string }[]) : []
}
