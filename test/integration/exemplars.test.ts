/** From a slow bucket to the request: a real Prometheus keeps the exemplars and gives them back. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { ask, oneHost } from '../kit/fleet.ts'
import { prometheusMissing, startPrometheus } from '../kit/prometheus.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write('prometheus is not installed (apt-get install prometheus): its tests are skipped\n')
}

interface Exemplars {
  readonly data: readonly { readonly exemplars: readonly { readonly labels: Readonly<Record<string, string>> }[] }[]
}

it.skipIf(prometheusMissing && !mustRun)(
  'a first token later than the objective leads to the id of its request',
  async () => {
    const { gateway, client } = await oneHost(
      { cost: { ttftMs: 60 }, answerTokens: 4 },
      { slo: { timeToFirstTokenMsMax: 20 } },
    )
    const stream = await client.chat.completions.create({ ...ask('hello'), stream: true })
    for await (const _ of stream);
    const [outcome] = await gateway.outcomesOnce(1)
    const target = { targets: [new URL(gateway.adminUrl).host] }
    const prometheus = await startPrometheus([{ job_name: 'lmx-gateway', static_configs: [target] }])
    try {
      const found = await firstExemplar(prometheus.url, 'lmx_gateway_time_to_first_token_seconds_bucket')
      expect(found).toMatchObject({ request_id: outcome?.fields['id'] })
    } finally {
      await prometheus.stop()
    }
  },
  60_000,
)

async function firstExemplar(url: string, query: string): Promise<Readonly<Record<string, string>>> {
  const endsAtMs = performance.now() + 30_000
  for (;;) {
    const range = { start: String(Date.now() / 1000 - 600), end: String(Date.now() / 1000 + 60) }
    const answer = await fetch(`${url}/api/v1/query_exemplars?${new URLSearchParams({ query, ...range }).toString()}`)
    const { data } = (await answer.json()) as Exemplars
    const labels = data[0]?.exemplars[0]?.labels
    if (labels !== undefined) return labels
    if (performance.now() > endsAtMs) throw new Error('no exemplar in 30 s')
    await pause(250)
  }
}
