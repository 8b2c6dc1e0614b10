/** Scrapers that are many, large and slow, before the real admin listener. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { type AdminUnderTest, startAdmin } from '../../kit/admin-under-test.ts'
import { turnsDuring } from '../../kit/event-loop.ts'
import { requestBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { readExposition, ScriptedSources } from '../../kit/scripted-sources.ts'
import { within } from '../../kit/within.ts'

/** 50 ms is what an event loop may lag; a machine that has other work is given twenty times as long. */
const lagMsMax = 20 * 50

const clients: RawClient[] = []
let admin: AdminUnderTest
let port = 0
let readings = 0

beforeAll(async () => {
  const sources = new ScriptedSources()
  sources.knownModel = () => true
  const openStreams = sources.openStreams
  sources.openStreams = () => {
    readings += 1
    return openStreams()
  }
  const metrics = createMetrics(sources)
  // 400 label sets of 25 lines: 10,000 series.
  for (let index = 0; index < 400; index += 1) {
    metrics.waitEnded({ model: `model-${index}`, class: 'default' }, 'granted', index)
  }
  admin = await startAdmin({ metrics, metricsOpen: true })
  port = admin.port
})

afterAll(async () => {
  for (const client of clients) client.close()
  await admin[Symbol.asyncDispose]()
})

it('G26: twenty slow readers of 10,000 series cost one text, keep nobody else waiting, and get all of it in the end', async () => {
  for (let index = 0; index < 20; index += 1) clients.push(await RawClient.open(port))
  for (const client of clients) client.socket.pause()
  let beside = ''
  const [lagMs = 0] = await turnsDuring(async () => {
    await Promise.all(clients.map((client) => client.send(requestBytes('GET', '/metrics'))))
    const other = await within(5_000, 'a scrape beside the slow ones', fetch(`http://127.0.0.1:${port}/metrics`))
    beside = await other.text()
  })
  process.stdout.write(`event loop while twenty scrape: longest turn ${lagMs.toFixed(1)} ms\n`)
  expect(lagMs).toBeLessThan(lagMsMax)
  expect(readExposition(beside).size).toBeGreaterThan(10_000)
  // The twenty came at once and share what was read for them; how many of them came in time is the system's affair.
  expect(readings).toBeLessThan(20)

  for (const client of clients) client.socket.resume()
  for (const client of clients) {
    const answer = await client.response()
    await answer.over()
    expect(answer.complete).toBe(true)
    expect(readExposition(answer.text).size).toBeGreaterThan(10_000)
  }
})
