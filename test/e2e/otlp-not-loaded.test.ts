/** What nobody asked for is not even loaded: the libraries that speak OTLP. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { launchScript, RunningProcess } from '../kit/child-process.ts'

/** Packages that a gateway has loaded from its start to its stop. */
async function loadedWith(otlp: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'lmx-gateway-loaded-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'gateway.yaml')
  const hosts = [{ name: 'gone', url: 'http://127.0.0.1:9' }]
  await writeFile(file, JSON.stringify({ server: { port: 0 }, admin: { port: 0 }, hosts, otlp }))
  const watcher = fileURLToPath(new URL('../kit/loaded-libraries.ts', import.meta.url))
  const args = ['--import', watcher, launchScript, '--config', file]
  await using gateway = new RunningProcess(process.execPath, args, { cwd: folder })
  await gateway.said(/Try it|not reachable/)
  // What a scrape needs is loaded by the first one at the latest.
  await (await fetch(await gateway.said(/(http:\S+\/metrics)\n/))).text()
  gateway.signal('SIGTERM')
  await gateway.end()
  return (/^loaded: (.*)$/m.exec(gateway.err)?.[1] ?? '').split(' ')
}

const isOfOpenTelemetry = (name: string) => name.startsWith('@opentelemetry/')

test('without an endpoint nothing of OpenTelemetry is loaded but the interface that prom-client brings along', async () => {
  const loaded = await loadedWith({})
  expect(loaded).toContain('prom-client')
  expect(loaded.filter(isOfOpenTelemetry)).toEqual(['@opentelemetry/api'])
})

test('with one it is', async () => {
  const loaded = await loadedWith({ endpoint: 'http://127.0.0.1:9' })
  expect(loaded).toContain('@opentelemetry/exporter-trace-otlp-http')
})
