/** What Prometheus's own tools make of what the gateway exposes, and of the configuration that is shipped. */

import { describe, expect, it } from 'vitest'
import { metricPrefix } from '../../src/observe/metric-names.ts'
import { createMetrics } from '../../src/observe/metrics.ts'
import { expositionText } from '../kit/exposition-text.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { checkPrometheusConfig, prometheusMissing, promtoolProblems } from '../kit/prometheus.ts'
import { outcome, ScriptedSources, tellEverything } from '../kit/scripted-sources.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write('prometheus is not installed (apt-get install prometheus): its tests are skipped\n')
}

describe.skipIf(prometheusMissing && !mustRun)('promtool', () => {
  it('finds nothing wrong with the names, types and texts of our metrics', async () => {
    const double = await startLmxDouble()
    await using gateway = await startGateway({ hosts: [{ url: double.url }] })
    const body = await gateway.metrics()
    await double.stop()
    expect(promtoolProblems(ours(body))).toBe('')
    // The check does look.
    expect(promtoolProblems('# HELP a_total A.\n# TYPE a_total gauge\na_total 1\n')).toContain('a_total')
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
    const body = expositionText(await metrics.render())
    expect(promtoolProblems(ours(body))).toBe('')
  })

  it('accepts the configuration that is shipped', () => {
    const path = new URL('../../grafana/prometheus.yml', import.meta.url).pathname
    expect(() => checkPrometheusConfig(path)).not.toThrow()
  })
})

/** The lines of our own metrics. */
function ours(exposition: string): string {
  const lines = exposition.split('\n').filter((line) => line.replace(/^# \w+ /, '').startsWith(metricPrefix))
  return `${lines.join('\n')}\n`
}
