/** What a scraper gets at the admin listener of a real gateway: the format it wants, or the reason why there is none. */
import { expect, it } from 'vitest'
import { createGateway } from '../../src/gateway.ts'
import { configOf } from '../kit/config-of.ts'
import { ask, clientOf, oneHost, startDouble } from '../kit/fleet.ts'
import { readOpenMetrics } from '../kit/open-metrics.ts'
import { readExposition } from '../kit/scripted-sources.ts'
import { silentLog } from '../kit/silent-log.ts'

const prometheusAccept =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'

it('is answered in the format it asks for, in turn, and told by HEAD what it would get', async () => {
  const { gateway, client } = await oneHost()
  await client.chat.completions.create({ ...ask('hello'), stream: false })
  const url = `${gateway.adminUrl}/metrics`
  for (let round = 0; round < 2; round += 1) {
    const plain = await fetch(url)
    expect(plain.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const text = readExposition(await plain.text())
    const open = await fetch(url, { headers: { accept: prometheusAccept } })
    expect(open.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
    const { samples } = readOpenMetrics(await open.text())
    const requests = [...text.keys()].filter((series) => series.startsWith('lmx_gateway_requests_total{'))
    expect(requests).toHaveLength(1)
    for (const series of requests) expect(samples.get(series)).toBe(1)
  }
  const head = await fetch(url, { method: 'HEAD', headers: { accept: prometheusAccept } })
  expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
    200,
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
    '',
  ])
})

it('is told that metrics are off where they are; requests are served, and nothing is counted', async () => {
  const double = await startDouble()
  const config = configOf({
    server: { port: 0 },
    admin: { port: 0 },
    hosts: [{ name: 'studio', url: double.url }],
    metrics: { enabled: false },
  })
  const gateway = createGateway(config, { version: '1.2.3', log: silentLog })
  const { dataUrl, adminUrl } = await gateway.start()
  try {
    await gateway.firstProbes()
    const client = clientOf({ baseUrl: `${dataUrl}/v1` })
    const stream = await client.chat.completions.create({ ...ask('hello'), stream: true })
    let text = ''
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
    expect(text).not.toBe('')
    const refused = await fetch(`${adminUrl}/metrics`)
    expect(refused.status).toBe(404)
    expect(await refused.json()).toMatchObject({
      error: { code: 'not_found', message: 'Metrics are off: metrics.enabled is false.' },
    })
  } finally {
    await gateway.stop({ now: true })
  }
})
