import { describe, expect, it } from 'vitest'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { expositionText } from '../../kit/exposition-text.ts'
import { ScriptedSources, scrape } from '../../kit/scripted-sources.ts'

describe('the text of a large scrape', () => {
  it('says once what a metric is, and each series once', async () => {
    const body = expositionText(await large().render())
    expect(body.match(/^# TYPE lmx_gateway_queue_wait_seconds /gm)).toHaveLength(1)
    expect(body.match(/^lmx_gateway_queue_wait_seconds_count\{/gm)).toHaveLength(400)
  })

  it('is made once for all who ask at the same time, and anew for who asks later', async () => {
    const sources = new ScriptedSources()
    let readings = 0
    const queue = sources.queue
    sources.queue = () => {
      readings += 1
      return queue()
    }
    const metrics = createMetrics(sources)
    const bodies = await Promise.all(Array.from({ length: 20 }, () => metrics.render()))
    expect(new Set(bodies.map(({ pieces }) => pieces)).size).toBe(1)
    expect(readings).toBe(1)
    await metrics.render()
    expect(readings).toBe(2)
  })

  it('goes on after a source failed', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    const queue = sources.queue
    sources.queue = () => {
      throw new Error('broken')
    }
    await expect(metrics.render()).rejects.toThrow('broken')
    sources.queue = queue
    expect((await scrape(metrics)).get(`${metricPrefix}queue_bytes`)).toBe(4_096)
  })
})

/** 400 label sets of one histogram, 25 lines each. */
function large() {
  const sources = new ScriptedSources()
  sources.knownModel = () => true
  const metrics = createMetrics(sources)
  for (let index = 0; index < 400; index += 1) {
    metrics.waitEnded({ model: `model-${index}`, class: 'default' }, 'granted', index)
  }
  return metrics
}
